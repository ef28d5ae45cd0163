using ContainerMigrate.Api;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Host;

/// <summary>The items of <c>doctor</c>: what is there, what is missing and how to get it.</summary>
internal static class HostDiagnosis
{
    private const string Ok = "ok";
    private const string Warning = "warning";
    private const string Error = "error";

    private const long ComfortableDiskBytes = 2L << 30;

    // Numbers of linux/capability.h.
    private static readonly (int Number, string Name)[] NeededCapabilities =
    [
        (1, "CAP_DAC_OVERRIDE"), (0, "CAP_CHOWN"), (12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (18, "CAP_SYS_CHROOT"), (19, "CAP_SYS_PTRACE"), (21, "CAP_SYS_ADMIN"), (27, "CAP_MKNOD"),
    ];


    internal static IEnumerable<DoctorItem> OfCriu(CriuStatus criu, string kernelRelease)
    {
        const string Source = "Debian 13 has 4.1.1; kernels 6.16 and newer need CRIU 4.2 or newer, in Debian's next release";
        if (criu.Version.Length == 0)
        {
            return [new DoctorItem("criu", Error, criu.Problem.Length == 0 ? "not installed" : $"does not run: {criu.Problem}", $"apt install criu; {Source}")];
        }

        return
        [
            new DoctorItem("criu", Ok, $"version {criu.Version}"),
            criu.Problem.Length == 0
                ? new DoctorItem("criu on this kernel", Ok, $"works on {kernelRelease}")
                : new DoctorItem("criu on this kernel", Error, $"does not work on {kernelRelease}: {criu.Problem}", $"install a newer CRIU; {Source}"),
        ];
    }

    internal static DoctorItem OfRuntime(string name, RuntimeStatus status) =>
        status.Available
            ? new DoctorItem(name, Ok, status.StorageDriver.Length == 0 ? $"version {status.Version}" : $"version {status.Version}, storage driver {status.StorageDriver}")
            : new DoctorItem(name, Warning, $"not available: {status.Detail}", $"install and start {name}: until then its containers cannot be moved from or to this host");

    internal static IEnumerable<DoctorItem> OfWrapper(HostInspectorOptions options)
    {
        if (!File.Exists(options.Wrapper))
        {
            yield return new DoctorItem("runc wrapper", Error, $"{options.Wrapper} is missing", "install ContainerMigrate again");
            yield break;
        }

        var first = FindProgram("runc", options.ServicePath);
        var isOurs = first is not null && string.Equals(ResolveLinks(first), ResolveLinks(options.Wrapper), StringComparison.Ordinal);
        yield return isOurs
            ? new DoctorItem("runc wrapper", Ok, $"containerd finds it as {first}")
            : new DoctorItem(
                "runc wrapper", Error, first is null ? "containerd finds no runc at all" : $"containerd finds {first} first, which is not the wrapper",
                $"ln -s {options.Wrapper} /usr/local/sbin/runc (ahead of the real runc in containerd's PATH; nothing to restart)");
        if (FindProgram("runc", options.ServicePath, other => !string.Equals(ResolveLinks(other), ResolveLinks(options.Wrapper), StringComparison.Ordinal)) is null)
        {
            yield return new DoctorItem("runc", Error, "not installed", "apt install runc");
        }
    }

    internal static IEnumerable<DoctorItem> OfTools(HostInspectorOptions options) =>
        ((string Program, string Package)[])[("nft", "nftables"), ("nsenter", "util-linux"), ("ip", "iproute2")] switch
        {
            var tools => tools.Select(tool => FindProgram(tool.Program, options.ServicePath) is { } path
                ? new DoctorItem(tool.Program, Ok, path)
                : new DoctorItem(tool.Program, Error, "not installed", $"apt install {tool.Package}")),
        };

    internal static IEnumerable<DoctorItem> OfKernel()
    {
        yield return OfCgroups(File.Exists("/sys/fs/cgroup/cgroup.controllers"));
        yield return OfCapabilities(ProcText.ReadOrEmpty("/proc/self/status"));
        yield return KernelFacts.HasTimeNamespaces
            ? new DoctorItem("time namespaces", Ok, "monotonic clocks go on where they were")
            : new DoctorItem("time namespaces", Warning, "this kernel has none: monotonic clocks of a container jump when it is moved", "CONFIG_TIME_NS, kernel 5.6 or newer");
    }

    internal static DoctorItem OfCgroups(bool isVersion2) =>
        isVersion2
            ? new DoctorItem("cgroups", Ok, "version 2")
            : new DoctorItem("cgroups", Error, "/sys/fs/cgroup is not cgroup version 2: containers cannot be frozen as a whole", "boot with systemd.unified_cgroup_hierarchy=1");

    /// <param name="status">Text of <c>/proc/self/status</c>.</param>
    internal static DoctorItem OfCapabilities(string status)
    {
        if (Capabilities.ParseEffective(status) is not { } effective)
        {
            return new DoctorItem("capabilities", Warning, "cannot be read");
        }

        var missing = NeededCapabilities.Where(c => !Capabilities.Has(effective, c.Number)).Select(c => c.Name).ToList();
        if (missing.Count > 0)
        {
            return new DoctorItem("capabilities", Error, $"the daemon lacks {string.Join(", ", missing)}", "run ctmigrated as root, outside of any container");
        }

        return !Capabilities.Has(effective, Capabilities.Resource)
            ? new DoctorItem("capabilities", Warning, "CAP_SYS_RESOURCE is missing: containers with higher resource limits than the daemon's own cannot be restored here", "run ctmigrated as a service of the host, outside of any container")
            : new DoctorItem("capabilities", Ok, "all that are needed");
    }

    /// <param name="problem">Why a fence cannot be raised in a network namespace of this kernel; null when it can.</param>
    internal static DoctorItem OfFence(string? problem) =>
        problem is null
            ? new DoctorItem("packet fence", Ok, "nf_tables drops IP and ARP in a container's network")
            : new DoctorItem("packet fence", Error, $"a container's packets cannot be stopped: {problem}", "the kernel needs nf_tables with the inet and arp families (modprobe nf_tables)");

    /// <param name="problem">Why packets cannot be kept in a network namespace of this kernel; null when they can.</param>
    internal static DoctorItem OfKeptPackets(string? problem) =>
        problem is null
            ? new DoctorItem("packets of the pause", Ok, "kept and delivered")
            : new DoctorItem("packets of the pause", Warning, $"dropped: clients send them again later than they could ({problem})", "modprobe -a nft_log nfnetlink_log, or a kernel that has them");

    internal static DoctorItem OfMemoryTracking(MemoryTrackingMeans tracking) => tracking switch
    {
        { WriteProtectAsync: true } => new DoctorItem("memory tracking", Ok, $"userfaultfd and PAGEMAP_SCAN{(tracking.SoftDirty ? ", soft-dirty" : "")}: memory can be copied while the container runs"),
        { SoftDirty: true } => new DoctorItem("memory tracking", Warning, "soft-dirty only, which is used where memory_tracker says so: memory is copied while the container is frozen", "kernel 6.7 or newer"),
        _ => new DoctorItem("memory tracking", Warning, "none: memory is copied while the container is frozen", "kernel 6.7 or newer"),
    };

    internal static DoctorItem OfClock(bool? isSynchronised) => isSynchronised switch
    {
        true => new DoctorItem("clock", Ok, "synchronised"),
        false => new DoctorItem("clock", Warning, "not synchronised: programs that are moved may see time jump", "apt install systemd-timesyncd (or chrony)"),
        null => new DoctorItem("clock", Warning, "the kernel does not say whether it is synchronised"),
    };

    internal static DoctorItem OfDisk(DiskFacts disk)
    {
        var free = $"{disk.FreeBytes / (double)(1L << 30):0.0} GiB free";
        return disk.FreeBytes >= ComfortableDiskBytes
            ? new DoctorItem($"disk {disk.Directory}", Ok, free)
            : new DoctorItem($"disk {disk.Directory}", Warning, free, "a container arrives with its memory and its writable layer: make room");
    }

    private static string? FindProgram(string name, string path, Func<string, bool>? accept = null) =>
        path.Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(candidate => IsExecutable(candidate) && (accept is null || accept(candidate)));

    private static bool IsExecutable(string path)
    {
        const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        try
        {
            return File.Exists(path) && (File.GetUnixFileMode(ResolveLinks(path)) & Execute) != UnixFileMode.None;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string ResolveLinks(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
}
