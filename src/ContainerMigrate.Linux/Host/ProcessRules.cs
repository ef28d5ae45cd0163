using ContainerMigrate.Checks;

namespace ContainerMigrate.Linux.Host;

/// <summary>What of a container's processes keeps CRIU from dumping them.</summary>
internal static class ProcessRules
{
    private const string Anonymous = "anon_inode:";

    // What CRIU 4.2 dumps of anonymous inodes (criu/files.c, dump_one_file).
    private static readonly HashSet<string> DumpableAnonymous =
        ["[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]", "[fanotify]", "[pidfd]", "inotify", "[inotify]", "bpf-map"];

    // Kernel names of the protocols of criu/sockets.c; UNIX also has a variant with -STREAM.
    private static readonly HashSet<string> DumpableProtocols =
        ["TCP", "TCPv6", "UDP", "UDPv6", "UDP-Lite", "UDPLITEv6", "RAW", "RAWv6", "UNIX", "UNIX-STREAM", "UNIX-DGRAM", "PACKET", "NETLINK"];

    private static readonly string[] OrdinaryMappings = ["/dev/zero", "/dev/shm/", "/dev/mqueue/", "/dev/hugepages/"];

    /// <summary>One thing about one process; the same thing about several is reported once.</summary>
    private sealed record Observation(ContainerProcess Process, string Check, CheckSeverity Severity, string Text, string? Hint = null);

    /// <summary>Looks at all processes of a container.</summary>
    /// <param name="initPid">Its init.</param>
    /// <param name="processes">All there are.</param>
    /// <param name="hostNamespaces">The namespaces of this host's own processes.</param>
    /// <param name="probeCommand">The runtime's health probe, which may be running just now and stays behind.</param>
    internal static IReadOnlyList<CheckFinding> Examine(
        int initPid, IReadOnlyList<ContainerProcess> processes, IReadOnlyDictionary<string, string> hostNamespaces, IReadOnlyList<string> probeCommand)
    {
        processes = WithoutProbes(initPid, processes, probeCommand);
        var init = processes.FirstOrDefault(process => process.Id == initPid);
        if (init is null)
        {
            return [new CheckFinding(CheckNames.State, CheckSeverity.Error, "", $"its init (pid {initPid}) is not in the container's cgroup", "a container that was restored by other means may sit in another cgroup: restart it once")];
        }

        var ids = processes.Select(process => process.Id).ToHashSet();
        var observations = ExamineNamespaces(init, hostNamespaces).Concat(processes.SelectMany(process =>
            (IEnumerable<Observation>)
            [
                .. ExamineOrigin(process, init, ids),
                .. ExamineNesting(process, init),
                .. process.Descriptors.SelectMany(descriptor => ExamineDescriptor(process, descriptor)),
                .. ExamineMappings(process),
            ]));
        return
        [
            .. observations
                .Distinct()
                .GroupBy(o => (o.Check, o.Severity, o.Text, o.Hint))
                .Select(group => new CheckFinding(group.Key.Check, group.Key.Severity, "", $"{NameAll([.. group.Select(o => o.Process).Distinct()])} {group.Key.Text}", group.Key.Hint)),
        ];
    }

    private static List<ContainerProcess> WithoutProbes(int initPid, IReadOnlyList<ContainerProcess> processes, IReadOnlyList<string> probeCommand)
    {
        var ids = processes.Select(process => process.Id).ToHashSet();
        var probes = processes.Where(p => p.Id != initPid && !ids.Contains(p.ParentId) && IsProbe(p, probeCommand)).Select(p => p.Id).ToHashSet();
        List<ContainerProcess> children;
        do
        {
            children = [.. processes.Where(p => probes.Contains(p.ParentId) && !probes.Contains(p.Id))];
            probes.UnionWith(children.Select(p => p.Id));
        }
        while (children.Count > 0);

        return [.. processes.Where(p => !probes.Contains(p.Id))];
    }

    private static bool IsProbe(ContainerProcess process, IReadOnlyList<string> command) =>
        command.Count > 0
        && (process.Arguments.SequenceEqual(command)
            // A shell becomes a command that is its only one, and runc becomes the shell.
            || (command is [_, "-c", var text] && string.Join(' ', process.Arguments) == text)
            || process.Name.StartsWith("runc:[", StringComparison.Ordinal));

    private static string NameAll(IReadOnlyList<ContainerProcess> processes) =>
        $"{processes[0].Name} (pid {processes[0].Id}){(processes.Count > 1 ? $" and {processes.Count - 1} more" : "")}:";

    private static IEnumerable<Observation> ExamineNamespaces(ContainerProcess init, IReadOnlyDictionary<string, string> host)
    {
        foreach (var (name, what) in ((string, string)[])[("pid", "processes"), ("net", "network"), ("ipc", "shared memory")])
        {
            if (init.Namespaces.TryGetValue(name, out var own) && host.TryGetValue(name, out var hosts) && own == hosts)
            {
                yield return new Observation(init, CheckNames.Namespaces, CheckSeverity.Error, $"shares the host's {what} ({name} namespace), which cannot move along", "start the container with a namespace of its own");
            }
        }
    }

    private static IEnumerable<Observation> ExamineOrigin(ContainerProcess process, ContainerProcess init, HashSet<int> ids)
    {
        if (process.TracerId != 0)
        {
            yield return new Observation(process, CheckNames.Processes, CheckSeverity.Error, $"is traced by process {process.TracerId}, and a process has one tracer only", "end the debugger (or strace) first");
        }

        if (process.Id != init.Id && !ids.Contains(process.ParentId))
        {
            yield return new Observation(process, CheckNames.Exec, CheckSeverity.Error, "was started from outside (docker exec, runc exec) and cannot move along", "end that session");
        }
    }

    private static IEnumerable<Observation> ExamineNesting(ContainerProcess process, ContainerProcess init)
    {
        foreach (var name in (string[])["pid", "user", "net"])
        {
            if (process.Namespaces.TryGetValue(name, out var own) && init.Namespaces.TryGetValue(name, out var inits) && own != inits)
            {
                yield return new Observation(process, CheckNames.Namespaces, CheckSeverity.Error, $"has a {name} namespace of its own inside the container, which is not supported", "containers and sandboxes inside a container have to end first");
            }
        }
    }

    private static IEnumerable<Observation> ExamineDescriptor(ContainerProcess process, OpenDescriptor descriptor)
    {
        if (descriptor.Target.StartsWith(Anonymous, StringComparison.Ordinal))
        {
            return ExamineAnonymous(process, descriptor, descriptor.Target[Anonymous.Length..]);
        }

        if (descriptor.SocketProtocol is { } protocol)
        {
            return DumpableProtocols.Contains(protocol)
                ? []
                : [new Observation(process, CheckNames.Processes, CheckSeverity.Error, $"has a {protocol} socket open, a kind that CRIU cannot dump", protocol == "MPTCP" ? "Go programs stop using it with GODEBUG=multipathtcp=0" : null)];
        }

        if (descriptor.Device is { } device && !IsOrdinaryDevice(device.Major, device.Minor, device.IsBlock))
        {
            return [new Observation(process, CheckNames.Devices, CheckSeverity.Error, $"has the device {descriptor.Target} open, whose state cannot move along")];
        }

        // CRIU finds files through the container's mounts; standard descriptors on the host's /dev/null are put back by the runtime.
        if (descriptor.Target.StartsWith('/') && descriptor.Target != "/dev/null" && !descriptor.Target.StartsWith("/memfd:", StringComparison.Ordinal)
            && descriptor.MountId is { } mount && process.MountIds.Count > 0 && !process.MountIds.Contains(mount) && !IsKernelFile(descriptor.Target))
        {
            return [new Observation(process, CheckNames.Stdio, CheckSeverity.Error, $"has {DescribeNumber(descriptor.Number)} open on {descriptor.Target}, a file of the host", "start the container with its streams on pipes or /dev/null")];
        }

        return [];
    }

    private static IEnumerable<Observation> ExamineAnonymous(ContainerProcess process, OpenDescriptor descriptor, string kind)
    {
        if (kind == "[io_uring]")
        {
            return [new Observation(process, CheckNames.IoUring, CheckSeverity.Error, "uses io_uring, which CRIU cannot dump", "many programs do without where they may not use it: run it under a seccomp profile that forbids io_uring_setup, as Docker's own does, or look for a setting (io_method=worker for PostgreSQL 18)")];
        }

        if (descriptor.IsSemaphore)
        {
            return [new Observation(process, CheckNames.Processes, CheckSeverity.Error, "has an eventfd that counts as a semaphore, which CRIU restores as an ordinary one: a read would take all that was posted")];
        }

        if (kind is "inotify" or "[inotify]" && descriptor.HasWatches && process.HasOverlayRoot)
        {
            return [new Observation(process, CheckNames.Processes, CheckSeverity.Warning, "watches files with inotify: on overlayfs CRIU may refuse the dump, or lose events")];
        }

        // kvm-vm, perf_event, seccomp notify, bpf-prog, userfaultfd and whatever comes.
        return DumpableAnonymous.Contains(kind) ? [] : [new Observation(process, CheckNames.Processes, CheckSeverity.Error, $"has a descriptor of kind {kind.Trim('[', ']')} open, which CRIU cannot dump")];
    }

    private static IEnumerable<Observation> ExamineMappings(ContainerProcess process)
    {
        // CRIU puts its code over the first that it finds (criu/parasite-syscall.c, get_exec_start), and ptrace(2) does not write to shared pages that are read-only.
        if (process.IsFirstCodeShared)
        {
            yield return new Observation(process, CheckNames.Processes, CheckSeverity.Error, "keeps code in shared memory below its program, where CRIU cannot put its own", "for PHP: opcache.jit_buffer_size=0");
        }

        foreach (var path in process.MappedFiles)
        {
            if (path.StartsWith("/dev/", StringComparison.Ordinal) && !OrdinaryMappings.Any(ordinary => path.StartsWith(ordinary, StringComparison.Ordinal)))
            {
                yield return new Observation(process, CheckNames.Devices, CheckSeverity.Error, $"has the device {path} mapped into its memory, whose state cannot move along");
            }
            else if (path.StartsWith("/secretmem", StringComparison.Ordinal))
            {
                yield return new Observation(process, CheckNames.Processes, CheckSeverity.Error, "keeps secrets in memory that nobody else may read (memfd_secret), CRIU included");
            }
        }
    }

    // criu/files.c, dump_chrdev: memory devices (null, zero, random, ...), terminals, /dev/net/tun, autofs. Numbers of Documentation/admin-guide/devices.txt.
    private static bool IsOrdinaryDevice(uint major, uint minor, bool isBlock) =>
        !isBlock && (major is 1 or 4 or 5 or (>= 136 and <= 143) || (major == 10 && minor is 200 or 235));

    // Opened by the kernel or through mounts that nobody sees: shared memory of System V, mappings of /dev/zero.
    private static bool IsKernelFile(string target) =>
        target.StartsWith("/SYSV", StringComparison.Ordinal) || target.StartsWith("/dev/zero (deleted)", StringComparison.Ordinal);

    private static string DescribeNumber(int number) => number switch
    {
        0 => "standard input",
        1 => "standard output",
        2 => "standard error",
        _ => $"descriptor {number}",
    };
}
