namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// Holds a migration in a stage, however fast it is: from the first bytes of that stage on, what its source sends to paired hosts
/// crawls, and the stage lasts for seconds.
/// </summary>
public static class CrawlingLink
{
    /// <param name="source">The source of one migration: what it sends from now on is counted.</param>
    /// <param name="stage">The stage to stay in.</param>
    public static async Task BeginAsync(LabHost source, MigrationStage stage)
    {
        ArgumentNullException.ThrowIfNull(source);
        // 16 MiB are sent to try the connection, and some 21 MiB of memory before the freeze; the files come after it.
        var fastKilobytes = stage == MigrationStage.PreCopy ? 1_000 : 40_000;
        await source.RunAsync("nft", $$"""
            table inet crawl {
              chain output {
                type filter hook output priority 0
                tcp dport 7440 quota over {{fastKilobytes}} kbytes limit rate over 3000 kbytes/second burst 64 kbytes drop
              }
            }
            """);
    }

    /// <summary>Makes the link fast again, if it is not.</summary>
    public static async Task EndAsync(LabHost source)
    {
        ArgumentNullException.ThrowIfNull(source);
        await source.RunAsync("nft", "table inet crawl; delete table inet crawl");
    }
}
