using System.Runtime.InteropServices;
using System.Net.Sockets;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Tests.Cgroups;
using Microsoft.Win32.SafeHandles;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Host;

public sealed partial class ContainerProcessReaderTests
{
    [Fact]
    public async Task ReadsALivingProcess()
    {
        using var cgroup = ScratchCgroup.Create();
        using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        using var random = File.OpenHandle("/dev/urandom");
        using var semaphore = new SafeFileHandle(EventDescriptor(1, Semaphore), ownsHandle: true);
        var command = new ProcessCommand("/bin/sh", "-c", $"mkdir {cgroup.Path}/inner; echo $$ > {cgroup.Path}/inner/cgroup.procs; echo in; exec sleep 1000")
        {
            Descriptors = new Dictionary<int, SafeHandle> { [7] = socket.SafeHandle, [8] = random, [9] = semaphore },
        };
        await using (var process = await new ProcessRunner().StartAsync(command, CancellationToken.None))
        {
            await process.StandardOutput.ReadExactlyAsync(new byte[3], CancellationToken.None);
            while (!File.ReadAllText($"/proc/{process.Id}/comm").StartsWith("sleep", StringComparison.Ordinal))
            {
                await Task.Delay(1, CancellationToken.None);
            }

            var read = ContainerProcessReader.ReadAll(cgroup.Path, CancellationToken.None).ShouldHaveSingleItem();

            read.Id.ShouldBe(process.Id);
            read.Name.ShouldBe("sleep");
            read.Descriptors.Where(d => d.IsSemaphore).ShouldHaveSingleItem().Number.ShouldBe(9);
            read.ParentId.ShouldBe(Environment.ProcessId);
            read.TracerId.ShouldBe(0);
            read.Namespaces.ShouldBe(ContainerProcessReader.ReadNamespaces("self"));
            read.MappedFiles.ShouldContain(path => path.EndsWith("/sleep", StringComparison.Ordinal));
            read.Descriptors.Single(d => d.Number == 0).Target.ShouldStartWith("pipe:");
            read.Descriptors.Single(d => d.Number == 7).SocketProtocol.ShouldBe("TCPv6");
            var device = read.Descriptors.Single(d => d.Number == 8);
            device.ShouldBe(new OpenDescriptor(8, "/dev/urandom", device.MountId) { Device = (1, 9, false) });
            read.MountIds.ShouldContain(device.MountId!.Value);
        }

        Directory.Delete(cgroup.Path + "/inner");
    }

    private const int Semaphore = 0x80001; // EFD_SEMAPHORE, EFD_CLOEXEC

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventDescriptor(uint value, int flags);

    [Fact]
    public void ReadsMountTables()
    {
        var table = MountTable.Parse(
            """
            1001 900 0:55 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/a
            1002 1001 0:60 / /proc rw,nosuid - proc proc rw

            """);

        table.Ids.ShouldBe([1001, 1002], ignoreOrder: true);
        table.HasOverlayRoot.ShouldBeTrue();
        MountTable.Parse("25 1 254:1 / / rw - ext4 /dev/vda1 rw").HasOverlayRoot.ShouldBeFalse();
    }

    [Fact]
    public void ReadsDescriptorInformation()
    {
        ContainerProcessReader.ParseMountId("pos:\t0\nflags:\t02\nmnt_id:\t26\nino:\t5\n").ShouldBe(26);
        ContainerProcessReader.ParseMountId("").ShouldBeNull();
        ContainerProcessReader.ParseMappedFiles(
            "7f00-7f01 r--p 00000000 00:30 12 /usr/lib/a b.so\n7f01-7f02 rw-p 00000000 00:00 0 [heap]\n7f02-7f03 rw-s 00000000 00:01 3 /dev/nvidia0\n")
            .ShouldBe(["/usr/lib/a b.so", "/dev/nvidia0"]);
    }

    [Theory]
    [InlineData("1000-2000 r--p 0 00:30 12 /x\n3000-4000 r-xs 0 00:01 3 /dev/zero (deleted)\n5000-6000 r-xp 0 00:30 12 /x\n", true)]
    [InlineData("3000-4000 r-xp 0 00:30 12 /x\n5000-6000 r-xs 0 00:01 3 /dev/zero (deleted)\n", false)]
    [InlineData("3000-4000 rwxs 0 00:01 3 /dev/zero (deleted)\n", false)]
    [InlineData("", false)]
    public void FindsSharedCodeInFrontOfAllOther(string maps, bool isShared) => ContainerProcessReader.IsFirstCodeShared(maps).ShouldBe(isShared);
}
