using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>
/// Places of single files. The runtime wants a file there before the container's own has arrived: it gets an empty one, which has a second name in the claim's stage, so that
/// it is known even when nobody had the time to note its identity.
/// </summary>
internal static class StagedFiles
{
    private const uint Private = 0x1C0; // 0700

    /// <exception cref="IOException">Something is there already, or it cannot be made.</exception>
    public static unsafe DirectoryClaim Make(DirectoryClaim claim)
    {
        var first = FirstNameOf(claim);
        fixed (byte* stage = Bytes(claim.Stage), arrival = Bytes(claim.Arrival), name = Bytes(first), path = Bytes(claim.Path))
        {
            if (FileCalls.MakeDirectory(FileCalls.CurrentDirectory, stage, Private) != 0 || FileCalls.MakeDirectory(FileCalls.CurrentDirectory, arrival, Private) != 0)
            {
                throw FileError.Last("make", claim.Stage);
            }

            File.Open(first, FileMode.CreateNew).Dispose();
            if (FileCalls.MakeLink(FileCalls.CurrentDirectory, name, FileCalls.CurrentDirectory, path, 0) != 0)
            {
                throw FileError.Last("make", claim.Path);
            }
        }

        return PathStatus.Read(claim.Path, follow: false) is { Type: TreeAttributes.RegularFile } status
            ? claim with { Inode = status.Inode, BornNanoseconds = HostDirectories.Born(status) }
            : throw new IOException($"{claim.Path} has just been changed by somebody else");
    }

    /// <summary>What is at the path is the empty file that was made there, or the one that has arrived for it.</summary>
    public static bool IsOurs(DirectoryClaim claim) =>
        PathStatus.Read(claim.Path, follow: false) is { Type: TreeAttributes.RegularFile } status
        && ((ulong Inode, long Born))(status.Inode, HostDirectories.Born(status)) is var found
        && ((claim.Inode != 0 && found == (claim.Inode, claim.BornNanoseconds)) || (claim.ArrivedInode != 0 && found == (claim.ArrivedInode, claim.ArrivedBornNanoseconds))
            || (claim.Inode == 0 && claim.Stage.Length > 0 && PathStatus.Read(FirstNameOf(claim), follow: false) is { } first && first.Inode == status.Inode));

    /// <summary>Removes the file, if it is ours, and the stage.</summary>
    public static void Remove(DirectoryClaim claim)
    {
        if (IsOurs(claim))
        {
            File.Delete(claim.Path);
        }

        RemoveStage(claim);
    }

    /// <summary>Removes the stage and what is left in it. Idempotent.</summary>
    public static void RemoveStage(DirectoryClaim claim)
    {
        if (claim.Stage.Length > 0 && PathStatus.Read(claim.Stage, follow: false) is { Type: TreeAttributes.Directory })
        {
            DirectoryCleaner.Empty(claim.Stage);
            Directory.Delete(claim.Stage);
        }
    }

    private static string FirstNameOf(DirectoryClaim claim) => Path.Combine(claim.Stage, "first");

    private static byte[] Bytes(string path) => Encoding.UTF8.GetBytes(path + '\0');
}
