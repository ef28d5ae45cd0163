using ContainerMigrate.Checks;
using ContainerMigrate.Linux.Host;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Host;

public sealed class ProcessRulesTests
{
    private const int ContainerMount = 500;
    private const int HostMount = 30;

    private static readonly Dictionary<string, string> HostNamespaces = new() { ["pid"] = "pid:[1]", ["net"] = "net:[1]", ["ipc"] = "ipc:[1]", ["user"] = "user:[1]", ["mnt"] = "mnt:[1]" };

    private static readonly ContainerProcess Init = new()
    {
        Id = 100,
        Name = "nginx",
        ParentId = 50,
        MountIds = new HashSet<int> { ContainerMount },
        Namespaces = new Dictionary<string, string> { ["pid"] = "pid:[2]", ["net"] = "net:[2]", ["ipc"] = "ipc:[2]", ["user"] = "user:[1]", ["mnt"] = "mnt:[2]" },
    };

    private static readonly string[] Probe = ["/bin/sh", "-c", "curl -f http://localhost/ || exit 1"];

    private static readonly ContainerProcess Worker = Init with { Id = 101, Name = "worker", ParentId = 100 };

    [Fact]
    public void FindsNothingInAnOrdinaryContainer()
    {
        OpenDescriptor[] descriptors =
        [
            Open(0, "/dev/null", HostMount) with { Device = (1, 3, false) },
            Open(1, "pipe:[77]"),
            Open(2, "/dev/pts/0") with { Device = (136, 0, false) },
            Open(3, "socket:[78]") with { SocketProtocol = "TCP" },
            Open(4, "socket:[79]") with { SocketProtocol = "UNIX-STREAM" },
            Open(5, "anon_inode:[eventpoll]"),
            Open(6, "anon_inode:[eventfd]"),
            Open(7, "/var/log/nginx/error.log"),
            Open(8, "/tmp/gone (deleted)"),
            Open(9, "/memfd:x (deleted)", 2),
            Open(10, "anon_inode:inotify"),
            Open(11, "pidfd:[4242]", 9),
        ];

        Examine(Init with { Descriptors = descriptors, MappedFiles = ["/usr/lib/libc.so.6", "/dev/zero (deleted)", "/dev/shm/x"] }, Worker).ShouldBeEmpty();
    }

    [Fact]
    public void NamesWhoUsesIoUringOnce()
    {
        OpenDescriptor[] rings = [Open(3, "anon_inode:[io_uring]"), Open(4, "anon_inode:[io_uring]")];

        var finding = Examine(Init with { Descriptors = rings }, Worker with { Descriptors = rings }).ShouldHaveSingleItem();

        finding.Check.ShouldBe(CheckNames.IoUring);
        finding.Severity.ShouldBe(CheckSeverity.Error);
        finding.Message.ShouldBe("nginx (pid 100) and 1 more: uses io_uring, which CRIU cannot dump");
    }

    [Theory]
    [InlineData("/dev/nvidia0", 195, 0, false)]
    [InlineData("/dev/kvm", 10, 232, false)]
    [InlineData("/dev/fuse", 10, 229, false)]
    [InlineData("/dev/sda", 8, 0, true)]
    public void RefusesOpenDevices(string path, uint major, uint minor, bool isBlock) =>
        Only(Init with { Descriptors = [Open(3, path) with { Device = (major, minor, isBlock) }] }).Check.ShouldBe(CheckNames.Devices);

    [Theory]
    [InlineData("/dev/urandom", 1, 9)]
    [InlineData("/dev/tty", 5, 0)]
    [InlineData("/dev/net/tun", 10, 200)]
    public void AllowsTheDevicesThatCriuKnows(string path, uint major, uint minor) =>
        Examine(Init with { Descriptors = [Open(3, path) with { Device = (major, minor, false) }] }).ShouldBeEmpty();

    [Fact]
    public void RefusesMappedDevices() =>
        Only(Init with { MappedFiles = ["/dev/nvidiactl"] }).Message.ShouldContain("/dev/nvidiactl mapped");

    [Fact]
    public void RefusesCodeThatCriuCannotOverwrite()
    {
        var finding = Only(Init with { IsFirstCodeShared = true });

        finding.Message.ShouldContain("code in shared memory");
        finding.Hint!.ShouldContain("jit_buffer_size");
    }

    [Fact]
    public void RefusesStandardDescriptorsOnFilesOfTheHost()
    {
        var finding = Only(Init with { Descriptors = [Open(1, "/root/output.txt", HostMount)] });

        finding.Check.ShouldBe(CheckNames.Stdio);
        finding.Message.ShouldBe("nginx (pid 100): has standard output open on /root/output.txt, a file of the host");
    }

    [Theory]
    [InlineData("MPTCP")]
    [InlineData("AF_VSOCK")]
    [InlineData("SCTP")]
    [InlineData("PING")]
    public void RefusesSocketsOfOtherKinds(string protocol) =>
        Only(Init with { Descriptors = [Open(3, "socket:[1]") with { SocketProtocol = protocol }] }).Message.ShouldContain($"has a {protocol} socket open");

    [Theory]
    [InlineData("anon_inode:[perf_event]", "perf_event")]
    [InlineData("anon_inode:kvm-vm", "kvm-vm")]
    [InlineData("anon_inode:seccomp notify", "seccomp notify")]
    public void RefusesOtherAnonymousDescriptors(string target, string kind) =>
        Only(Init with { Descriptors = [Open(3, target)] }).Message.ShouldContain($"of kind {kind} open");

    [Fact]
    public void RefusesAnEventfdThatCriuWouldRestoreAsAnother()
    {
        var eventfd = Open(3, "anon_inode:[eventfd]");

        Examine(Init with { Descriptors = [eventfd] }).ShouldBeEmpty();
        Only(Init with { Descriptors = [eventfd with { IsSemaphore = true }] }).Severity.ShouldBe(CheckSeverity.Error);
    }

    [Fact]
    public void WarnsOfInotifyOnOverlayOnly()
    {
        var watcher = Init with { Descriptors = [Open(3, "anon_inode:inotify") with { HasWatches = true }] };

        Examine(watcher).ShouldBeEmpty();
        Only(watcher with { HasOverlayRoot = true }).Severity.ShouldBe(CheckSeverity.Warning);
    }

    [Fact]
    public void FindsExecSessionsByTheirParent()
    {
        var shell = Init with { Id = 200, Name = "bash", ParentId = 50 };
        var command = Init with { Id = 201, Name = "vi", ParentId = 200 };

        var finding = Examine(Init, Worker, shell, command).ShouldHaveSingleItem();

        finding.Check.ShouldBe(CheckNames.Exec);
        finding.Message.ShouldStartWith("bash (pid 200):");
    }

    [Fact]
    public void RefusesTracedProcesses() => Only(Init with { TracerId = 999 }).Message.ShouldContain("traced by process 999");

    [Theory]
    [InlineData("net", "network")]
    [InlineData("pid", "processes")]
    [InlineData("ipc", "shared memory")]
    public void RefusesNamespacesOfTheHost(string name, string what)
    {
        var finding = Only(Init with { Namespaces = new Dictionary<string, string>(Init.Namespaces) { [name] = HostNamespaces[name] } });

        finding.Check.ShouldBe(CheckNames.Namespaces);
        finding.Message.ShouldContain($"shares the host's {what}");
    }

    [Fact]
    public void RefusesNamespacesInsideTheContainer()
    {
        var sandboxed = Worker with { Namespaces = new Dictionary<string, string>(Init.Namespaces) { ["user"] = "user:[3]" } };

        Examine(Init, sandboxed).ShouldHaveSingleItem().Message.ShouldContain("user namespace of its own");
    }

    [Fact]
    public void LetsHealthProbesGoOn()
    {
        var shell = Init with { Id = 200, Name = "sh", ParentId = 50, Arguments = Probe };
        var child = Init with { Id = 201, Name = "curl", ParentId = 200 };

        Examine(Init, Worker, child, shell).ShouldBeEmpty();
        Examine(Init, shell with { Name = "runc:[2:INIT]", Arguments = ["runc", "init"] }).ShouldBeEmpty();
        Examine(Init, shell with { Arguments = ["/bin/sh"] }).ShouldHaveSingleItem().Check.ShouldBe(CheckNames.Exec);
        ProcessRules.Examine(Init.Id, [Init, shell with { Name = "sleep", Arguments = ["sleep", "4"] }], HostNamespaces, ["/bin/sh", "-c", "sleep 4"]).ShouldBeEmpty();
    }

    [Fact]
    public void LooksAtTheContainersOwnProcessesThoughTheyLookLikeProbes()
    {
        var worker = Worker with { Arguments = Probe, Descriptors = [Open(5, "anon_inode:[io_uring]")] };

        Examine(Init, worker).ShouldHaveSingleItem().Check.ShouldBe(CheckNames.IoUring);
    }

    [Fact]
    public void SaysWhenTheInitIsInAnotherCgroup() => Examine(Worker).ShouldHaveSingleItem().Check.ShouldBe(CheckNames.State);

    private static OpenDescriptor Open(int number, string target, int mount = ContainerMount) => new(number, target, target.StartsWith('/') ? mount : 9);

    private static CheckFinding Only(ContainerProcess process) => Examine(process).ShouldHaveSingleItem();

    private static IReadOnlyList<CheckFinding> Examine(params ContainerProcess[] processes) => ProcessRules.Examine(Init.Id, processes, HostNamespaces, Probe);
}
