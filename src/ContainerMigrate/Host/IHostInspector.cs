using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Host;

/// <summary>What a host tells its peer about itself, for the checks.</summary>
public sealed record HostFacts
{
    public required string HostName { get; init; }

    /// <summary>Version of ContainerMigrate.</summary>
    public required string Version { get; init; }

    /// <summary><c>uname -r</c></summary>
    public required string KernelRelease { get; init; }

    /// <summary><c>x86_64</c>, <c>aarch64</c></summary>
    public required string Architecture { get; init; }

    /// <summary>CRIU's version, <c>4.2.1</c>; empty when there is none.</summary>
    public string CriuVersion { get; init => field = value ?? ""; } = "";

    /// <summary>Why CRIU does not work here; empty when it does.</summary>
    public string CriuProblem { get; init => field = value ?? ""; } = "";

    /// <summary>Flags of <c>/proc/cpuinfo</c>, sorted.</summary>
    public IReadOnlyList<string> CpuFlags { get; init => field = value ?? []; } = [];

    /// <summary>XSAVE area size in bytes as CPUID tells (leaf 0xD); 0 when unknown.</summary>
    public int XsaveBytes { get; init; }

    /// <summary><c>MemAvailable</c>.</summary>
    public long AvailableMemoryBytes { get; init; }

    /// <summary>Free bytes where images and containers go.</summary>
    public long FreeDiskBytes { get; init; }

    public DateTimeOffset Clock { get; init; }

    public bool TimeNamespaces { get; init; }

    /// <summary>A restored container's memory can be filled in while it runs (userfaultfd).</summary>
    public bool LazyRestore { get; init; }

    /// <summary>Containers that are stopped for their move can arrive here.</summary>
    public bool OfflineArrivals { get; init; }

    /// <summary>LSM that confines containers: <c>apparmor</c>, <c>selinux</c> or empty.</summary>
    public string SecurityModule { get; init => field = value ?? ""; } = "";
}

/// <summary>Looks at this host.</summary>
public interface IHostInspector
{
    Task<HostFacts> ReadFactsAsync(CancellationToken cancellationToken);

    /// <summary>What a container's memory would grow to; <see cref="MemoryDemand.None"/> without the memory controller.</summary>
    MemoryDemand ReadMemoryDemand(SourceContainer container);

    /// <summary>What this host lacks and how to get it.</summary>
    Task<DoctorReport> DiagnoseAsync(CancellationToken cancellationToken);

    /// <summary>Findings about a container's processes that hold for every runtime (io_uring, devices, descriptors on host files, exec sessions, ...), as seen in /proc.</summary>
    Task<IReadOnlyList<CheckFinding>> CheckProcessesAsync(SourceContainer container, CancellationToken cancellationToken);
}
