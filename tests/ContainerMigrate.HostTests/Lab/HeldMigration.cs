namespace ContainerMigrate.HostTests.Lab;

/// <summary>Starts a migration and holds it in a stage for seconds: see <see cref="CrawlingLink"/>, which has to be ended afterwards.</summary>
public static class HeldMigration
{
    /// <summary>Returns while the container is in <paramref name="stage"/>.</summary>
    /// <param name="operand">The container, as `ctmigrate migrate` takes it; it has 16 MiB of memory or files to send.</param>
    public static async Task<RunningMigration> StartAsync(MigrationStage stage, LabHost source, string operand, LabHost destination, params string[] options)
    {
        if (stage == MigrationStage.PreCopy)
        {
            await CrawlingLink.BeginAsync(source);
        }

        var migration = await RunningMigration.StartAsync(source, operand, destination, options);
        if (stage == MigrationStage.Switchover)
        {
            using var watch = await JournalWatch.StartAsync(source, migration.Id, "Frozen");
            await CrawlingLink.BeginAtAsync(source, watch.Recorded);
        }

        await migration.ReachesAsync(stage);
        return migration;
    }
}
