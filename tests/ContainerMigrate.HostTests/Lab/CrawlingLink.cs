namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// Holds a migration in a stage, however fast it is: from the first bytes of that stage on, what its source sends to paired hosts
/// crawls, and the stage lasts for seconds.
/// </summary>
public static class CrawlingLink
{
    /// <param name="source">The source of one migration: what it sends from now on is counted, and crawls from the first MiB on.</param>
    public static async Task BeginAsync(LabHost source)
    {
        ArgumentNullException.ThrowIfNull(source);
        await source.RunAsync("nft", Rules("quota over 1000 kbytes limit rate over 3000 kbytes/second burst 64 kbytes drop"));
    }

    /// <summary>Makes the link crawl when <paramref name="begun"/> says so, at once: a pause is short.</summary>
    public static async Task BeginAtAsync(LabHost source, Task begun)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(begun);
        // All that is prepared: what is sent in the pause are some hundred KiB of memory and of images.
        await using var prepared = source.Start(["sh", "-c", $"read now; exec nft '{Rules("limit rate over 100 kbytes/second burst 16 kbytes drop")}'"]);
        await begun;
        await prepared.Input.WriteLineAsync("now");
        (await prepared.WaitAsync(TimeSpan.FromSeconds(10))).Checked();
    }

    /// <summary>Makes the link fast again, if it is not.</summary>
    public static async Task EndAsync(LabHost source)
    {
        ArgumentNullException.ThrowIfNull(source);
        await source.RunAsync("nft", "table inet crawl; delete table inet crawl");
    }

    private static string Rules(string rule) => $$"""
        table inet crawl {
          chain output {
            type filter hook output priority 0
            tcp dport 7440 {{rule}}
          }
        }
        """;
}
