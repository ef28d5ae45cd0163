using System.Security.Cryptography;
using System.Text;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>A digest of a small file or tree: names, kinds, owners, modes and content. Times are left out: nobody keeps them the same on two hosts.</summary>
internal static class Fingerprint
{
    private const int MaxEntries = 10_000;
    private const long MaxBytes = 64 << 20;
    private const int BlockBytes = 128 << 10;

    /// <returns>Null for a larger one, an empty one, one that has other than files, directories and symbolic links in it, or cannot be read.</returns>
    public static string? Of(string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (entries, left) = (0, MaxBytes);
        try
        {
            var root = new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
            return Add(root, "") && (entries > 1 || File.Exists(root)) ? Convert.ToHexStringLower(hash.GetHashAndReset()) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // No more than its size: files of the kernel may have no end, or wait for it.
        bool AddContent(string place, long size)
        {
            using var file = File.OpenHandle(place);
            var block = new byte[BlockBytes];
            for (long at = 0, read; at < size; at += read)
            {
                if ((read = RandomAccess.Read(file, block.AsSpan(0, (int)Math.Min(size - at, block.Length)), at)) == 0)
                {
                    return false;
                }

                hash.AppendData(block.AsSpan(0, (int)read));
            }

            hash.AppendData(BitConverter.GetBytes(size));
            return true;
        }

        bool Add(string place, string name)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (PathStatus.Read(place, follow: false) is not { } status || ++entries > MaxEntries)
            {
                return false;
            }

            hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{name}\0{status.Mode} {status.UserId} {status.GroupId}\0")));
            switch (status.Type)
            {
                case TreeAttributes.SymbolicLink:
                    hash.AppendData(Encoding.UTF8.GetBytes((new FileInfo(place).LinkTarget ?? "") + '\0'));
                    return true;
                case TreeAttributes.RegularFile when (left -= (long)status.Size) >= 0:
                    return AddContent(place, (long)status.Size);
                case TreeAttributes.Directory:
                    return Directory.EnumerateFileSystemEntries(place).Order(StringComparer.Ordinal).All(e => Add(e, $"{name}/{Path.GetFileName(e)}"));
                default:
                    return false;
            }
        }
    }
}
