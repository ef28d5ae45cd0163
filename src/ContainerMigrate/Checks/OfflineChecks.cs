using ContainerMigrate.Containers;
using ContainerMigrate.Host;

namespace ContainerMigrate.Checks;

/// <summary>Which checks a container that is stopped for its move has to pass: those of what it is made from and of where it comes to, and none of its processes.</summary>
public static class OfflineChecks
{
    private static readonly HashSet<string> OfProcesses =
    [
        CheckNames.Criu, CheckNames.Cpu, CheckNames.Wrapper, CheckNames.Clock, CheckNames.Exec, CheckNames.Terminal, CheckNames.Stdio, CheckNames.IoUring, CheckNames.Processes, CheckNames.Throttle,
    ];

    /// <summary>Whether a finding matters to it. Of kernels only one of another architecture does.</summary>
    public static bool Concerns(CheckFinding finding)
    {
        ArgumentNullException.ThrowIfNull(finding);
        return !OfProcesses.Contains(finding.Check) && (finding.Check != CheckNames.Kernel || finding.Severity == CheckSeverity.Error);
    }

    /// <summary>What keeps this container from being stopped and started elsewhere.</summary>
    public static IEnumerable<CheckFinding> Find(ContainerManifest manifest, IContainerRuntime runtime, string source, HostFacts destination)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(runtime);
        ArgumentNullException.ThrowIfNull(destination);
        if (!runtime.CanStop)
        {
            yield return new CheckFinding(CheckNames.Runtime, CheckSeverity.Error, source, $"{runtime.Name} does not keep containers that are stopped: they only move while they run", "migrate it without --offline");
        }

        if (manifest.Paused)
        {
            yield return new CheckFinding(CheckNames.State, CheckSeverity.Error, source, "the container is paused: it cannot be told to stop", "unpause it, or migrate it without --offline");
        }

        if (!destination.OfflineArrivals)
        {
            yield return new CheckFinding(CheckNames.Runtime, CheckSeverity.Error, destination.HostName, $"its ctmigrated {destination.Version} does not take containers that are stopped for their move", "install a newer one there");
        }
    }
}
