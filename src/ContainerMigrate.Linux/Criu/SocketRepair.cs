using System.Globalization;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Cgroups;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// Takes TCP sockets out of repair mode (TCP_REPAIR, linux/tcp.h). CRIU puts a container's established sockets there for its dump and
/// back at the end of it; killed in between it leaves them, and a socket in repair mode answers nobody.
/// </summary>
internal static partial class SocketRepair
{
    private const int PidfdOpen = 434; // the numbers of pidfd_open(2) and pidfd_getfd(2) are the same on all architectures
    private const int PidfdGetfd = 438;
    private const int ProtocolTcp = 6; // IPPROTO_TCP
    private const int TcpRepair = 19; // TCP_REPAIR
    private const int Off = 0; // TCP_REPAIR_OFF also sends a window probe, which brings the peer back at once

    /// <summary>Looks at every socket of every process in the cgroup; those of processes that end meanwhile are left out.</summary>
    /// <returns>How many were in repair mode.</returns>
    public static int End(string cgroupDirectory)
    {
        var ended = 0;
        foreach (var pid in ProcessCgroup.ReadProcesses(cgroupDirectory))
        {
            using var process = Wrap(syscall(PidfdOpen, pid, 0, 0));
            if (process.IsInvalid)
            {
                continue;
            }

            foreach (var descriptor in Sockets(pid))
            {
                using var socket = Wrap(syscall(PidfdGetfd, process.DangerousGetHandle(), descriptor, 0));
                var state = 0;
                uint length = sizeof(int);
                if (!socket.IsInvalid && getsockopt(socket, ProtocolTcp, TcpRepair, ref state, ref length) == 0 && state != Off)
                {
                    var off = Off;
                    ended += setsockopt(socket, ProtocolTcp, TcpRepair, in off, sizeof(int)) == 0 ? 1 : 0;
                }
            }
        }

        return ended;
    }

    private static IEnumerable<int> Sockets(int pid)
    {
        string[] entries;
        try
        {
            entries = Directory.GetFiles($"/proc/{pid}/fd");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            yield break; // it has ended
        }

        foreach (var entry in entries)
        {
            if (LinkOf(entry)?.StartsWith("socket:", StringComparison.Ordinal) is true && int.TryParse(Path.GetFileName(entry), CultureInfo.InvariantCulture, out var number))
            {
                yield return number;
            }
        }
    }

    private static string? LinkOf(string entry)
    {
        try
        {
            return new FileInfo(entry).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // closed meanwhile
        }
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle Wrap(nint descriptor) => new(descriptor, ownsHandle: true);

#pragma warning disable SA1300, IDE1006 // libc's own names
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint first, nint second, nint third);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(SafeHandle socket, int level, int name, ref int value, ref uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(SafeHandle socket, int level, int name, in int value, uint length);
#pragma warning restore SA1300, IDE1006
}
