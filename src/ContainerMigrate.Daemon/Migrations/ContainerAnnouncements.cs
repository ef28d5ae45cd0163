using ContainerMigrate.Daemon.LocalApi;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Announces a container's addresses when an operator asks for it.</summary>
internal sealed class ContainerAnnouncements(MigrationEnvironment environment) : IContainerAnnouncements
{
    private readonly MigrationPlanner _planner = new(environment);

    public async Task<IReadOnlyList<string>> AnnounceAsync(string container, CancellationToken cancellationToken)
    {
        var (runtime, reference) = await _planner.FindAsync(container, cancellationToken);
        var running = await runtime.InspectAsync(reference, cancellationToken);
        return await environment.Announcer.AnnounceAsync(running.NetworkNamespacePath, cancellationToken);
    }
}
