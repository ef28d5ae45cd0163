using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Memory;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Migration;

/// <summary>What a check of both hosts has found out, and what the migration then works with.</summary>
/// <param name="MissingLayers">Image layers the destination lacks.</param>
/// <param name="Estimate">Predicts pauses of this runtime's containers to that host.</param>
/// <param name="HasVolumeUsers">Another container here has a mount of this one too.</param>
public sealed record MigrationPlan(
    CheckReport Report, IContainerRuntime Runtime, SourceContainer Container, HostFacts Facts, IReadOnlyList<string> MissingLayers, PauseEstimate Estimate, bool HasVolumeUsers = false);

/// <summary>Examines both hosts before anything is touched.</summary>
public sealed class MigrationPlanner(MigrationEnvironment environment)
{
    /// <summary>Finds the one container that is meant by <c>web</c>, <c>docker:web</c> or <c>runc:web</c>.</summary>
    /// <exception cref="MigrationException">There is none, or more than one.</exception>
    public async Task<(IContainerRuntime Runtime, ContainerReference Container)> FindAsync(string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        var runtimes = colon < 0 ? environment.Runtimes : [environment.Runtime(name[..colon])];
        var bare = name[(colon + 1)..];
        if (!ManifestValidator.IsName(bare))
        {
            throw Refused($"'{bare}' is not a container's name or id");
        }

        var found = new List<(IContainerRuntime, ContainerReference)>();
        string? trouble = null;
        foreach (var runtime in runtimes)
        {
            var status = await runtime.GetStatusAsync(cancellationToken);
            if (status.Available)
            {
                found.AddRange((await runtime.FindAsync(bare, cancellationToken)).Select(c => (runtime, c)));
            }
            else if (colon >= 0 || runtimes.Count == 1)
            {
                trouble = $"{runtime.Name} is not available: {status.Detail}";
            }
        }

        return found switch
        {
            [var one] => one,
            [] => throw Refused(trouble ?? $"no container '{bare}' here", trouble is null ? "`docker ps` and `runc list` show what runs" : "`ctmigrate doctor` says what is missing"),
            _ => throw Refused($"'{bare}' names {found.Count} containers: {string.Join(", ", found.Select(f => $"{f.Item2.Runtime}:{f.Item2.Id[..Math.Min(12, f.Item2.Id.Length)]}"))}", "give it as RUNTIME:ID"),
        };
    }

    /// <summary>Runs every check on both hosts and reports all findings at once.</summary>
    /// <exception cref="MigrationException">There is nothing to check: no such container, or it does not run.</exception>
    /// <exception cref="PeerUnreachableException">The destination does not answer.</exception>
    public async Task<MigrationPlan> PlanAsync(CheckRequest request, IPeer peer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(peer);
        if (request.Skip.FirstOrDefault(s => !CheckNames.All.Contains(s)) is { } unknown)
        {
            throw new MigrationException(new MigrationFailure(environment.HostName, "check", $"there is no check '{unknown}' to skip", $"the checks are {string.Join(", ", CheckNames.All)}"));
        }

        var (runtime, reference) = await FindAsync(request.Container, cancellationToken);
        var container = await runtime.InspectAsync(reference, cancellationToken);
        container = container with
        {
            Manifest = container.Manifest with
            {
                Links = await environment.Network.DescribeAsync(container.NetworkNamespacePath, cancellationToken),
                Offline = request.Mode == MigrationModes.Offline,
            },
        };
        var survey = new MountSurvey(environment);
        container = await survey.BeginAsync(container, request.Volumes, cancellationToken);
        var facts = await environment.Host.ReadFactsAsync(cancellationToken);
        var findings = new List<CheckFinding>();
        findings.AddRange(Here(await runtime.CheckSourceAsync(container, cancellationToken)));
        // What the runtime has said of its container, the look at the processes need not say again in other words.
        var said = findings.Where(f => f.Severity == CheckSeverity.Error).Select(f => f.Check).ToHashSet();
        if (!container.Manifest.Offline)
        {
            findings.AddRange(Here(await environment.Host.CheckProcessesAsync(container, cancellationToken)).Where(f => !said.Contains(f.Check)));
        }

        var postCopy = request.Mode == MigrationModes.PostCopy || request.OnStall == StallActions.PostCopy;
        var reply = await survey.AskAsync(container, manifest => peer.CheckAsync(new PeerCheckRequest(manifest, facts, request.Skip, postCopy), cancellationToken));
        findings.AddRange(reply.Findings.Select(f => f with { Host = peer.Name }));
        (container, var hasVolumeUsers) = await survey.CompleteAsync(container, reply.Mounts ?? [], peer.Name, findings, cancellationToken);

        // The peer's clock is read in the middle of the exchange; what the wire takes is far below the tolerance.
        var imageBytes = reply.MissingLayers.Count == 0 || container.Manifest.Image is null ? 0 : container.Manifest.Image.SizeBytes;
        findings.AddRange(HostComparison.Compare(facts with { Clock = environment.Time.GetUtcNow() }, reply.Facts with { HostName = peer.Name }, container.Manifest, imageBytes));
        var (mode, tracker) = await ChooseModeAsync(request.Mode, container.Manifest, environment.Host.ReadMemoryDemand(container), reply.Facts with { HostName = peer.Name }, findings, cancellationToken);
        if (request.OnStall == StallActions.Throttle && mode == MigrationModes.PreCopy && environment.Cpu.FindObstacle(container.CgroupDirectory) is { } obstacle)
        {
            findings.Add(new CheckFinding(CheckNames.Throttle, CheckSeverity.Error, environment.HostName, $"the container cannot be slowed down: {obstacle}",
                "boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1), or take --on-stall accept or abort"));
        }

        if (container.Manifest.Offline)
        {
            findings = [.. findings.Where(OfflineChecks.Concerns), .. OfflineChecks.Find(container.Manifest, runtime, environment.HostName, reply.Facts with { HostName = peer.Name })];
        }

        if (environment.Arrivals.FindLoss(reference.Id) is { } loss)
        {
            findings.Add(new CheckFinding(CheckNames.Memory, CheckSeverity.Error, environment.HostName, $"memory that the container brought from its last move is lost: {loss}", "start the container afresh"));
        }
        else if (environment.Arrivals.IsFillingIn(reference.Id))
        {
            findings.Add(new CheckFinding(CheckNames.Memory, CheckSeverity.Information, environment.HostName, "memory of its last move is still being filled in; `migrate` waits for that first"));
        }

        findings = [.. findings.Distinct().OrderBy(f => OrderOf(f.Check)).ThenByDescending(f => f.Severity)];
        // What a file takes is learned of no link.
        var estimate = new PauseEstimate(ManifestValidator.IsName(peer.Name) ? environment.Pauses.Read(peer.Name, runtime.Name) : []);
        var report = new CheckReport
        {
            Container = reference.Name,
            Runtime = runtime.Name,
            Source = environment.HostName,
            Destination = peer.Name,
            Findings = findings,
            Checked = [.. CheckNames.All.Where(n => !request.Skip.Contains(n))],
            Mode = mode,
            Tracker = tracker,
            PredictedPauseMs = mode == MigrationModes.Offline ? null : mode != MigrationModes.StopAndCopy
                ? Math.Round(estimate.PreCopy(container.Manifest).TotalMs)
                : estimate.StopAndCopyMs(container.Manifest),
            PredictedFrom = mode == MigrationModes.Offline ? 0 : estimate.CountOf(mode == MigrationModes.StopAndCopy ? mode : MigrationModes.PreCopy),
            MemoryBytes = container.Manifest.MemoryBytes,
            DestinationAvailableBytes = reply.Facts.AvailableMemoryBytes,
            WritableLayerBytes = container.Manifest.WritableLayerBytes,
            ImageBytesToSend = imageBytes,
            Mounts = MountSurvey.Report(container.Manifest),
            Ok = findings.All(f => f.Severity != CheckSeverity.Error || request.Skip.Contains(f.Check)),
        };
        return new MigrationPlan(report, runtime, container, facts, reply.MissingLayers, estimate, hasVolumeUsers);
    }

    // A mode that was asked for is not exchanged for another: that is for "auto" to do.
    private async Task<(string Mode, string Tracker)> ChooseModeAsync(
        string wanted, ContainerManifest manifest, MemoryDemand demand, HostFacts destination, List<CheckFinding> findings, CancellationToken cancellationToken)
    {
        if (wanted == MigrationModes.Offline)
        {
            return (MigrationModes.Offline, "");
        }

        if (wanted == MigrationModes.StopAndCopy || (wanted == MigrationModes.Auto && manifest.Paused))
        {
            return (MigrationModes.StopAndCopy, ""); // a paused container's users wait anyway, and nothing can be done to its processes
        }

        var here = await environment.Tracker.GetAvailabilityAsync(cancellationToken);
        var obstacle = !here.Available ? (Host: environment.HostName, Reason: here.Reason)
            : !destination.LazyRestore ? (Host: destination.HostName, Reason: "the kernel lets nobody fill in a restored container's memory (userfaultfd)")
            : manifest.Paused ? (Host: environment.HostName, Reason: "the container is paused")
            : demand.ExceedsLimit ? (Host: environment.HostName, Reason: $"what its processes share copy-on-write would be held once for each, {ByteSize.Format(demand.UsedBytes + demand.CopiesBytes)} of memory in all with a limit of {ByteSize.Format(demand.LimitBytes!.Value)}")
            : default;
        if (obstacle.Reason is null)
        {
            if (here.Tracker == MemoryTrackers.SoftDirty)
            {
                findings.Add(new CheckFinding(CheckNames.Memory, CheckSeverity.Information, environment.HostName, $"the container stands still for a moment in each round (soft-dirty){(here.Reason.Length > 0 ? ": " : "")}{here.Reason}"));
            }

            if (demand.IsNotable)
            {
                findings.Add(new CheckFinding(CheckNames.Memory, CheckSeverity.Information, environment.HostName,
                    $"its processes share memory copy-on-write, which they hold once for each after the move: {ByteSize.Format(demand.CopiesBytes)} more than the {ByteSize.Format(demand.UsedBytes)} of now; --mode stop-and-copy keeps it shared"));
            }

            if (wanted != MigrationModes.PostCopy)
            {
                return (MigrationModes.PreCopy, here.Tracker);
            }

            findings.Add(new CheckFinding(CheckNames.Memory, CheckSeverity.Information, environment.HostName,
                $"post-copy: until all memory has followed the container needs both hosts and the link; it stands still while {destination.HostName} does not reach this host, and is lost if this host fails"));
            return (MigrationModes.PostCopy, here.Tracker);
        }

        findings.Add(wanted == MigrationModes.Auto
            ? new CheckFinding(CheckNames.Memory, CheckSeverity.Information, obstacle.Host, $"memory is copied while the container is frozen: {obstacle.Reason}")
            : new CheckFinding(CheckNames.Memory, CheckSeverity.Error, obstacle.Host, $"no {(wanted == MigrationModes.PostCopy ? "post-copy" : "pre-copy")}: {obstacle.Reason}", "--mode auto does what can be done"));
        return (MigrationModes.StopAndCopy, "");
    }

    private static int OrderOf(string check) => CheckNames.All.TakeWhile(n => n != check).Count();

    private IEnumerable<CheckFinding> Here(IEnumerable<CheckFinding> findings) => findings.Select(f => f with { Host = environment.HostName });

    private MigrationException Refused(string cause, string? nextStep = null) =>
        new(new MigrationFailure(environment.HostName, "check", cause, nextStep));
}
