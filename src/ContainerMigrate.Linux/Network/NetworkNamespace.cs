using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Network;

/// <summary>Doing something inside another network namespace without exec.</summary>
internal static class NetworkNamespace
{
    /// <summary>Runs <paramref name="work"/> inside the namespace, on a thread that ends with it.</summary>
    /// <exception cref="IOException">There is no such namespace, or it cannot be entered.</exception>
    internal static Task<T> RunAsync<T>(string path, Func<T> work) =>
        DedicatedThread.RunAsync("netns", () =>
        {
            EnterForGood(path);
            return work();
        });

    /// <summary>Runs <paramref name="work"/> in a new namespace, which goes when nothing uses it any more.</summary>
    /// <exception cref="IOException">There may be none.</exception>
    internal static Task<T> RunInNewAsync<T>(Func<T> work) =>
        DedicatedThread.RunAsync("new netns", () => Libc.Unshare(Libc.CloneNewNet) == 0 ? work() : throw Errno.Exception("making a network namespace", Errno.Last));

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

    // Device and inode together name a namespace (namespaces(7)).
    private static (uint, uint, ulong)? Identify(string path) =>
        FileIdentity.Read(path) is { } file ? (file.Device.Major, file.Device.Minor, file.Inode) : null;

    // Inside a container that shares its host's pids, init may be out of reach.
    private static (uint, uint, ulong)? IdentifyWherePermitted(string path)
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
}
