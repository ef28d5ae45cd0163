using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

/// <summary>Excerpts of logs as CRIU 3.17 to 4.2 write them.</summary>
public sealed class CriuLogTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(
        """
        (00.000047) Version: 4.2.1 (gitid 0)
        (00.000082) Running on h1 Linux 6.18.5
        (00.041022) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
        (00.041040) ----------------------------------------
        (00.041052) Error (criu/cr-dump.c:1669): Dump files (pid: 4211) failed with -1
        (00.041301) Unfreezing tasks into 1
        (00.041377) Error (criu/cr-dump.c:2111): Dumping FAILED.
        """,
        "inet: Connected TCP socket, consider using --tcp-established option.")]
    [InlineData(
        """
        (00.010632) Error (criu/tty.c:1861): tty: Found dangling tty with sid 11 pgid 11 (pts) on peer fd 0.
        (00.010652) Task attached to shell terminal. Consider using --shell-job option. More details on http://criu.org/Simple_loop
        """,
        "tty: Found dangling tty with sid 11 pgid 11 (pts) on peer fd 0.")]
    [InlineData(
        """
        (00.000031) rlimit: RLIMIT_NOFILE unlimited for self
        (00.000035) Error (criu/rlimit.c:16): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
        (00.151834)      1: Error (criu/files-reg.c:2143): Can't open file usr/lib/x86_64-linux-gnu/libc.so.6 on restore: No such file or directory
        (00.151840)      1: Error (criu/files-reg.c:2201): Can't open file usr/lib/x86_64-linux-gnu/libc.so.6: No such file or directory
        (00.152401) Error (criu/cr-restore.c:1230): 31337 killed by signal 9: Killed
        (00.160022) Error (criu/cr-restore.c:2557): Restoring FAILED.
        """,
        "Can't open file usr/lib/x86_64-linux-gnu/libc.so.6 on restore: No such file or directory")]
    [InlineData(
        """
        (00.020001) Error (criu/action-scripts.c:114): One of more action scripts failed
        (00.020010) Error (criu/util.c:640): exited, status=1
        (00.020020) Error (criu/cr-restore.c:2557): Restoring FAILED.
        """,
        null)]
    [InlineData(
        """
        (00.097623) Error (criu/action-scripts.c:156): One of more action scripts failed
        (00.098088) Error (criu/cr-restore.c:2331): Restoring FAILED.
        (00.098420) Error (criu/cr-service.c:121): Can't send response: Broken pipe
        (00.099398) Error (criu/cgroup.c:2055): cg: cgroupd: recv req error: No such file or directory
        """,
        null)]
    [InlineData("(00.1) Error (criu/x.c:1", "Error (criu/x.c:1")]
    [InlineData("(00.1) Warn  (criu/kerndat.c:1153): $XDG_RUNTIME_DIR not set.", null)]
    [InlineData("", null)]
    public void RootCause(string log, string? cause) => CriuLog.RootCause(_directory.Write("dump.log", log)).ShouldBe(cause);

    [Fact]
    public void AbsentLogHasNoCause()
    {
        CriuLog.RootCause(_directory.File("none.log")).ShouldBeNull();
        CriuLog.RootCause(_directory.Path).ShouldBeNull();
        CriuLog.RootCause(_directory.File("none/none.log")).ShouldBeNull();
    }

    [Fact]
    public void LogThatIsNoTextIsNoDefect()
    {
        var noise = new byte[1 << 16];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(_directory.File("dump.log"), noise);

        CriuLog.RootCause(_directory.File("dump.log")).ShouldBeNull();
    }

    [Fact]
    public void EndOfAVeryLongLogIsRead()
    {
        var line = new string('x', 1023) + "\n";
        File.WriteAllText(_directory.File("dump.log"), string.Concat(Enumerable.Repeat(line, 6000)) + "(09.1) Error (criu/mem.c:1): out of memory\n");

        CriuLog.RootCause(_directory.File("dump.log")).ShouldBe("out of memory");
    }
}
