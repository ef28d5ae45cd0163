using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Interop;

/// <summary>What <c>statx(2)</c> tells about a file, links followed.</summary>
/// <param name="Device">Number of the file system it is on.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Mode">Type and permissions (S_IFMT and below).</param>
/// <param name="NodeMajor">For a device node: which device.</param>
/// <param name="NodeMinor">For a device node: which device.</param>
internal sealed partial record FileIdentity((uint Major, uint Minor) Device, ulong Inode, ushort Mode, uint NodeMajor, uint NodeMinor)
{
    internal bool IsCharacterDevice => (Mode & 0xF000) == 0x2000; // S_IFCHR

    internal bool IsBlockDevice => (Mode & 0xF000) == 0x6000; // S_IFBLK

    /// <summary>Null when the path leads nowhere.</summary>
    /// <exception cref="IOException">Any other reason why it cannot be seen.</exception>
    internal static FileIdentity? Read(string path)
    {
        const int CurrentDirectory = -100; // AT_FDCWD
        const uint BasicStatus = 0x7FF; // STATX_BASIC_STATS
        if (Statx(CurrentDirectory, path, 0, BasicStatus, out var status) == 0)
        {
            return new FileIdentity((status.DeviceMajor, status.DeviceMinor), status.Inode, status.Mode, status.NodeMajor, status.NodeMinor);
        }

        return Errno.Last is Errno.NoEntry or Errno.NoProcess ? null : throw Errno.Exception(path, Errno.Last);
    }

    // struct statx of linux/stat.h: 256 bytes, the same on every architecture.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(28)]
        internal ushort Mode;
        [FieldOffset(32)]
        internal ulong Inode;
        [FieldOffset(128)]
        internal uint NodeMajor;
        [FieldOffset(132)]
        internal uint NodeMinor;
        [FieldOffset(136)]
        internal uint DeviceMajor;
        [FieldOffset(140)]
        internal uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, out StatxBuffer status);
}
