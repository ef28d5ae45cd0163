using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Linux.Storage;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>What is at a path of this host.</summary>
internal static class PathStatus
{
    /// <summary>Null for nothing.</summary>
    /// <exception cref="IOException">It cannot be seen.</exception>
    public static unsafe FileStatus? Read(string path, bool follow)
    {
        FileStatus status;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            if (FileCalls.Statx(FileCalls.CurrentDirectory, name, follow ? 0 : FileCalls.SymlinkNoFollow, FileCalls.StatisticsMask, &status) == 0)
            {
                return status;
            }
        }

        return Marshal.GetLastPInvokeError() is ErrorCode.NoEntry or ErrorCode.NotDirectory ? null : throw FileError.Last("stat", path);
    }
}
