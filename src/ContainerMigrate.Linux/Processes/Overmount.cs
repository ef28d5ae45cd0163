using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Processes;

/// <summary>A file that is seen where another one is.</summary>
/// <param name="Source">Path of what is seen.</param>
/// <param name="Target">Path where it is seen; exists.</param>
public sealed record Overmount(string Source, string Target)
{
    private const nuint Bind = 0x1000; // MS_BIND
    private const nuint RecursivePrivate = 0x4000 | (1 << 18); // MS_REC | MS_PRIVATE

    /// <summary>Gives the calling thread, which ends with its work, a mount namespace with these; nothing of it gets out.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    internal static void ApplyForGood(IEnumerable<Overmount> overmounts)
    {
        if (Libc.Unshare(Libc.CloneNewMounts) != 0)
        {
            throw Errno.Exception("making a mount namespace", Errno.Last);
        }

        if (Libc.Mount(null, "/", null, RecursivePrivate, 0) != 0)
        {
            throw Errno.Exception("making mounts private", Errno.Last);
        }

        foreach (var overmount in overmounts)
        {
            if (Libc.Mount(overmount.Source, overmount.Target, null, Bind, 0) == 0)
            {
                continue;
            }

            var error = Errno.Last;
            if (error != Errno.NoEntry || File.Exists(overmount.Target)) // a process of /proc may have ended since it was listed
            {
                throw Errno.Exception($"mounting {overmount.Source} over {overmount.Target}", error);
            }
        }
    }
}
