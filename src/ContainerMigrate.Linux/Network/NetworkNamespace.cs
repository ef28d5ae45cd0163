using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Network;

/// <summary>Doing something inside another network namespace without exec.</summary>
internal static partial class NetworkNamespace
{
    /// <summary>Runs <paramref name="work"/> inside the namespace, on a thread that ends with it.</summary>
    /// <exception cref="IOException">There is no such namespace, or it cannot be entered.</exception>
    internal static Task<T> RunAsync<T>(string path, Func<T> work) =>
        DedicatedThread.RunAsync("netns", () =>
        {
            EnterForGood(path);
            return work();
        });

    /// <summary>Moves the calling thread into the namespace. Only for a thread that ends there: see <see cref="DedicatedThread"/>.</summary>
    internal static void EnterForGood(string path)
    {
        using var descriptor = Open(path);
        if (Libc.SetNamespace(descriptor, Libc.CloneNewNet) != 0)
        {
            throw Errno.Exception($"entering the network namespace {path}", Errno.Last);
        }
    }

    /// <summary>
    /// True when the path leads to the namespace this host lives in: a fence there would cut off the host. A container's
    /// path leads there when the container shares the host's network, or when its process is gone and the pid reused.
    /// </summary>
    internal static bool IsHosts(string path) =>
        Identify(path) is { } there && (there == Identify("/proc/self/ns/net") || there == IdentifyWherePermitted("/proc/1/ns/net"));

    /// <summary>True when nothing can be entered at the path any more.</summary>
    internal static bool IsGone(string path) => Identify(path) is null;

    private static SafeFileHandle Open(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);

    /// <summary>Device and inode, which together name a namespace (namespaces(7)); null when the path leads nowhere.</summary>
    private static (ulong Device, ulong Inode)? Identify(string path)
    {
        if (Statx(CurrentDirectory, path, 0, StatxInode, out var status) == 0)
        {
            return (((ulong)status.DeviceMajor << 32) | status.DeviceMinor, status.Inode);
        }

        return Errno.Last is Errno.NoEntry or Errno.NoProcess
            ? null
            : throw Errno.Exception($"looking at the network namespace {path}", Errno.Last);
    }

    // Inside a container that shares its host's pids, init may be out of reach.
    private static (ulong Device, ulong Inode)? IdentifyWherePermitted(string path)
    {
        try
        {
            return Identify(path);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private const int CurrentDirectory = -100; // AT_FDCWD
    private const uint StatxInode = 0x100; // STATX_INO

    // struct statx of linux/stat.h: 256 bytes, the same on every architecture.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(32)]
        internal ulong Inode;
        [FieldOffset(136)]
        internal uint DeviceMajor;
        [FieldOffset(140)]
        internal uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, out StatxBuffer status);
}
