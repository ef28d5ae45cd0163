using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Linux.Host;

/// <inheritdoc cref="IHostInspector"/>
public sealed class HostInspector(
    HostInspectorOptions options, IProcessRunner processes, IEnumerable<IContainerRuntime> runtimes, TimeProvider? timeProvider = null) : IHostInspector
{
    private readonly CriuProbe _criu = new(processes, options.Criu);
    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;

    /// <inheritdoc/>
    public async Task<HostFacts> ReadFactsAsync(CancellationToken cancellationToken)
    {
        var criu = await _criu.ReadAsync(cancellationToken);
        return new HostFacts
        {
            HostName = options.HostName,
            Version = options.Version,
            KernelRelease = KernelFacts.ReadRelease(),
            Architecture = KernelFacts.Architecture,
            CriuVersion = criu.Version,
            CriuProblem = criu.Problem,
            CpuFlags = CpuFacts.ParseFlags(ProcText.ReadOrEmpty("/proc/cpuinfo")),
            XsaveBytes = CpuFacts.ReadXsaveBytes(),
            AvailableMemoryBytes = ProcText.ParseKilobytes(ProcText.ReadOrEmpty("/proc/meminfo"), "MemAvailable") ?? 0,
            FreeDiskBytes = DiskFacts.ReadFreeBytes(options).Select(place => place.FreeBytes).DefaultIfEmpty(0).Min(),
            Clock = _time.GetUtcNow(),
            TimeNamespaces = KernelFacts.HasTimeNamespaces,
            OfflineArrivals = true,
            LazyRestore = MemoryTrackingProbe.Read().Userfault,
            SecurityModule = KernelFacts.ReadSecurityModule(),
        };
    }

    /// <inheritdoc/>
    public MemoryDemand ReadMemoryDemand(SourceContainer container)
    {
        ArgumentNullException.ThrowIfNull(container);
        return ProcessCgroup.ReadMemoryDemand(container.CgroupDirectory, ProcessCgroup.ReadProcesses(container.CgroupDirectory));
    }

    /// <inheritdoc/>
    public async Task<DoctorReport> DiagnoseAsync(CancellationToken cancellationToken)
    {
        List<DoctorItem> items = [.. HostDiagnosis.OfCriu(await _criu.ReadAsync(cancellationToken), KernelFacts.ReadRelease())];
        foreach (var runtime in runtimes)
        {
            items.Add(HostDiagnosis.OfRuntime(runtime.Name, await runtime.GetStatusAsync(cancellationToken)));
        }

        items.AddRange(HostDiagnosis.OfWrapper(options));
        items.AddRange(HostDiagnosis.OfTools(options));
        items.AddRange(HostDiagnosis.OfKernel());
        items.Add(HostDiagnosis.OfFence(await NftFence.FindProblemAsync()));
        items.Add(HostDiagnosis.OfKeptPackets(await LogKeeping.FindProblemAsync()));
        items.Add(HostDiagnosis.OfMemoryTracking(MemoryTrackingProbe.Read()));
        items.Add(HostDiagnosis.OfClock(ClockProbe.IsSynchronised()));
        items.AddRange(DiskFacts.ReadFreeBytes(options).Select(HostDiagnosis.OfDisk));
        return new DoctorReport(options.HostName, options.Version, items);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<CheckFinding>> CheckProcessesAsync(SourceContainer container, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        // A large container has thousands of descriptors to look at.
        return Task.Run<IReadOnlyList<CheckFinding>>(
            () =>
            {
                try
                {
                    var seen = ContainerProcessReader.ReadAll(container.CgroupDirectory, cancellationToken);
                    return [.. ProcessRules.Examine(container.InitPid, seen, ContainerProcessReader.ReadNamespaces("self"), container.ProbeCommand).Select(finding => finding with { Host = options.HostName })];
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    return [new CheckFinding(CheckNames.Processes, CheckSeverity.Error, options.HostName, $"the container's processes cannot be looked at: {exception.Message}")];
                }
            },
            cancellationToken);
    }
}
