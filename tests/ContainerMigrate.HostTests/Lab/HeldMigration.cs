namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// Holds a migration in a stage for as long as a test wants: in pre-copy the link crawls (<see cref="CrawlingLink"/>), frozen the destination's daemon is stopped, which only
/// takes a signal.
/// </summary>
public sealed class HeldMigration : IAsyncDisposable
{
    private readonly LabHost _source;
    private readonly LabHost _destination;
    private readonly int _stopped;
    private bool _isReleased;

    private HeldMigration(RunningMigration migration, LabHost source, LabHost destination, int stopped)
    {
        Migration = migration;
        _source = source;
        _destination = destination;
        _stopped = stopped;
    }

    public RunningMigration Migration { get; }

    /// <summary>Returns while the container is in <paramref name="stage"/>.</summary>
    /// <param name="operand">The container, as `ctmigrate migrate` takes it; it has 16 MiB of memory or files to send.</param>
    public static async Task<HeldMigration> StartAsync(MigrationStage stage, LabHost source, string operand, LabHost destination, params string[] options)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (stage == MigrationStage.PreCopy)
        {
            await CrawlingLink.BeginAsync(source);
            var ahead = await RunningMigration.StartAsync(source, operand, destination, options);
            await ahead.ReachesAsync(stage);
            return new HeldMigration(ahead, source, destination, 0);
        }

        using var daemon = await destination.DaemonProcessAsync();
        await using var prepared = destination.Start("sh", "-c", $"read now; kill -STOP {daemon.Id}");
        var migration = await RunningMigration.StartAsync(source, operand, destination, options);
        using var watch = await JournalWatch.StartAsync(source, migration.Id, "Frozen");
        await watch.Recorded;
        await prepared.Input.WriteLineAsync("now");
        (await prepared.WaitAsync(TimeSpan.FromSeconds(10))).Checked();
        await migration.ReachesAsync(stage);
        return new HeldMigration(migration, source, destination, daemon.Id);
    }

    /// <summary>Lets it go on.</summary>
    public async Task ReleaseAsync()
    {
        if (_isReleased)
        {
            return;
        }

        _isReleased = true;
        await (_stopped == 0 ? CrawlingLink.EndAsync(_source) : _destination.RunAsync("kill", "-CONT", $"{_stopped}"));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ReleaseAsync();
        await Migration.DisposeAsync();
    }
}
