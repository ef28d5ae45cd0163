using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>Makes the socket of the local API so that at no moment anybody can open it who should not.</summary>
internal static partial class LocalSocket
{
    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerAndGroup = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>
    /// Binds and listens under another name, sets owner and mode, and renames into place; what a daemon that has died left there is replaced.
    /// </summary>
    /// <param name="group">May open it besides the owner, if a group of that name exists.</param>
    /// <exception cref="ConfigurationException">Somebody listens there, or something else is in the way.</exception>
    public static Socket Bind(string path, string group)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, DirectoryMode);
            RefuseIfInUse(path);

            var temporary = path + ".new";
            File.Delete(temporary);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Bind(new UnixDomainSocketEndPoint(temporary));
                socket.Listen();
                GiveTo(temporary, group);
                File.Move(temporary, path, overwrite: true);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new ConfigurationException($"socket {path} cannot be made: {e.Message}", e);
        }
    }

    private static void RefuseIfInUse(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            return;
        }
        catch (SocketException e)
        {
            throw new ConfigurationException($"socket {path} cannot be made: something that is no socket is in the way", e);
        }

        throw new ConfigurationException($"socket {path} is in use: another ctmigrated is running");
    }

    /// <summary>Connecting to a plain file is refused just like connecting to a socket on which nobody listens.</summary>
    private static bool IsSocket(string path) =>
        new FileInfo(path) is { Exists: true, LinkTarget: null } && !IsRegular(path);

    private static bool IsRegular(string path)
    {
        try
        {
            // open(2) of a socket fails with ENXIO; of a plain file it works.
            using var file = File.OpenHandle(path);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void GiveTo(string path, string group)
    {
        File.SetUnixFileMode(path, OwnerOnly);
        if (Environment.UserName != "root" || FindGroup(group) is not { } groupId)
        {
            return;
        }

        if (ChangeOwner(path, 0, groupId) != 0)
        {
            throw new IOException($"{path}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        }

        File.SetUnixFileMode(path, OwnerAndGroup);
    }

    private static uint? FindGroup(string name)
    {
        // struct group { char *gr_name; char *gr_passwd; gid_t gr_gid; char **gr_mem; } (grp.h)
        var group = GetGroup(name);
        return group == 0 ? null : (uint)Marshal.ReadInt32(group, 2 * IntPtr.Size);
    }

    [LibraryImport("libc", EntryPoint = "getgrnam", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetGroup(string name);

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
