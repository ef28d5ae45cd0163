namespace ContainerMigrate.HostTests.Lab;

/// <summary>Tells within a millisecond or so that a host has recorded a step of a migration; made before the step is taken.</summary>
public sealed class JournalWatch : IDisposable
{
    private readonly FileSystemWatcher _watcher;
    private readonly TaskCompletionSource _recorded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private JournalWatch(string directory, string phase)
    {
        _watcher = new FileSystemWatcher(directory, "journal") { NotifyFilter = NotifyFilters.Size | NotifyFilters.LastWrite };
        _watcher.Changed += (_, change) =>
        {
            if (File.ReadAllText(change.FullPath).Contains($"\"phase\":\"{phase}\"", StringComparison.Ordinal))
            {
                _recorded.TrySetResult();
            }
        };
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>Completes when the phase has been recorded.</summary>
    public Task Recorded => _recorded.Task.WaitAsync(TimeSpan.FromSeconds(30));

    /// <param name="host">Whose journal is meant.</param>
    /// <param name="migrationId">Known to that host already.</param>
    /// <param name="phase">Name of the phase in the journal.</param>
    public static async Task<JournalWatch> StartAsync(LabHost host, string migrationId, string phase)
    {
        ArgumentNullException.ThrowIfNull(host);
        var root = (await LabFixture.LabAsync("root", host.Name)).TrimEnd();
        return new JournalWatch($"{root}/var/lib/ctmigrate/migrations/{migrationId}", phase);
    }

    /// <inheritdoc/>
    public void Dispose() => _watcher.Dispose();
}
