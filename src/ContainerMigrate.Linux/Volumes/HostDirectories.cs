using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Linux.Volumes;

/// <summary>Directories of this host that are mounted into containers. Wants root; keeps no state.</summary>
/// <param name="roots">Beneath these, and nowhere else, containers from elsewhere may have theirs.</param>
public sealed class HostDirectories(IReadOnlyList<string> roots) : IHostDirectories
{
    private const int TokenAttempts = 10;
    private static readonly TimeSpan StaleAfter = TimeSpan.FromHours(1);
    private static readonly TimeSpan TokenInterval = TimeSpan.FromMilliseconds(200);

    /// <inheritdoc/>
    public HostPlace Look(string path, bool followLink)
    {
        try
        {
            var status = PathStatus.Read(path, followLink);
            var space = DiskSpace.Of(path);
            var existing = NearestExisting(path);
            var fileSystem = PathStatus.Read(existing, follow: true) is { } holder ? FormattableString.Invariant($"{holder.DeviceMajor}:{holder.DeviceMinor}") : "";
            return new HostPlace(KindOf(path, status), fileSystem, space.AvailableBytes, space.AvailableEntries, IsAllowed(path), FileSystemKind.MayBeShared(existing));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new HostPlace(PlaceKind.Other, "", 0, 0, IsAllowed: false, MayBeShared: false);
        }
    }

    /// <inheritdoc/>
    public FileSystemLimits FindLimits(string path) => FileSystemTrial.Run(NearestExisting(path));

    /// <inheritdoc/>
    public Task<string?> FindUnsupportedAsync(string directory, FileSystemLimits limits, CancellationToken cancellationToken) =>
        TreeTransfer.StartThread(
            () =>
            {
                using var cursor = new DirectoryCursor(directory);
                return FileSystemTrial.FindUnsupported(cursor, limits, cancellationToken);
            },
            cancellationToken);

    /// <inheritdoc/>
    public Task<string?> FingerprintAsync(string path, CancellationToken cancellationToken) => TreeTransfer.StartThread(() => Fingerprint.Of(path, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public string? LeaveToken(string directory)
    {
        var token = VolumeToken.New();
        try
        {
            // Of a daemon that was killed while it asked.
            foreach (var old in Directory.EnumerateFiles(directory, VolumeToken.Prefix + "*").Where(f => VolumeToken.IsOne(Path.GetFileName(f)) && File.GetLastWriteTimeUtc(f) < DateTime.UtcNow - StaleAfter))
            {
                File.Delete(old);
            }

            File.Open(Path.Combine(directory, token), FileMode.CreateNew).Dispose();
            return token;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<bool> SeesTokenAsync(string directory, string token, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < TokenAttempts; attempt++)
        {
            // A listing, since a name that was missed once may be remembered as missing.
            if (Directory.Exists(directory) && Directory.EnumerateFiles(directory, VolumeToken.Prefix + "*").Any(f => Path.GetFileName(f) == token))
            {
                return true;
            }

            await Task.Delay(TokenInterval, cancellationToken);
        }

        return false;
    }

    /// <inheritdoc/>
    public void RemoveToken(string directory, string token)
    {
        try
        {
            File.Delete(Path.Combine(directory, token));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The storage has gone away meanwhile. An hour later it is removed by whoever asks next.
        }
    }

    /// <inheritdoc/>
    public DirectoryClaim Plan(string path, string? asideName)
    {
        path = path.TrimEnd('/');
        if (PathStatus.Read(path, follow: false) is not { } status)
        {
            return new DirectoryClaim { Path = path, FirstMade = FirstMissing(path) };
        }

        var claim = Claim(path, status);
        return KindOf(path, status) switch
        {
            PlaceKind.EmptyDirectory => claim with { Mode = status.Mode & 0xFFFu, User = status.UserId, Group = status.GroupId },
            PlaceKind.Directory when asideName is not null && !Path.Exists(path + asideName) => new DirectoryClaim { Path = path, FirstMade = path, Aside = path + asideName },
            _ => throw new IOException($"{path} exists and is not an empty directory"),
        };
    }

    /// <inheritdoc/>
    public DirectoryClaim PlanFile(string path, string stageName)
    {
        path = path.TrimEnd('/');
        var stage = Path.Combine(Path.GetDirectoryName(path)!, stageName);
        return PathStatus.Read(path, follow: false) is null && PathStatus.Read(stage, follow: false) is null
            ? new DirectoryClaim { Path = path, FirstMade = FirstMissing(path), Stage = stage }
            : throw new IOException($"{path} exists, or {stage}");
    }

    /// <inheritdoc/>
    public DirectoryClaim Arrived(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        return PathStatus.Read(Path.Combine(claim.Arrival, Path.GetFileName(claim.Path)), follow: false) is { Type: TreeAttributes.RegularFile, Links: 1 } status
            ? claim with { ArrivedInode = status.Inode, ArrivedBornNanoseconds = Born(status) }
            : throw new InvalidDataException($"no file has arrived for {claim.Path}");
    }

    /// <inheritdoc/>
    public void Place(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (!StagedFiles.IsOurs(claim))
        {
            throw new IOException($"{claim.Path} has just been changed by somebody else");
        }

        File.Move(Path.Combine(claim.Arrival, Path.GetFileName(claim.Path)), claim.Path, overwrite: true);
    }

    /// <inheritdoc/>
    public DirectoryClaim Make(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (claim.Stage.Length > 0)
        {
            foreach (var parent in Parents(claim).Reverse())
            {
                MakeDirectory(parent, mayExist: true);
            }

            return StagedFiles.Make(claim);
        }

        if (claim.FirstMade.Length == 0)
        {
            return IsOurs(claim) && KindOf(claim.Path, PathStatus.Read(claim.Path, follow: false)) == PlaceKind.EmptyDirectory
                ? claim
                : throw new IOException($"{claim.Path} has just been changed by somebody else");
        }

        if (claim.Aside.Length > 0)
        {
            Directory.Move(claim.Path, claim.Aside);
        }

        foreach (var parent in Parents(claim).Reverse())
        {
            MakeDirectory(parent, mayExist: true);
        }

        MakeDirectory(claim.Path, mayExist: false);
        return Claim(claim.Path, PathStatus.Read(claim.Path, follow: false) ?? throw new IOException($"{claim.Path} is gone")) with { FirstMade = claim.FirstMade, Aside = claim.Aside };
    }

    /// <inheritdoc/>
    public void Undo(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (claim.Stage.Length > 0)
        {
            StagedFiles.Remove(claim);
            _ = Parents(claim).All(TryRemove);
            return;
        }

        if (IsOurs(claim))
        {
            DirectoryCleaner.Empty(claim.Path);
        }

        if (claim.FirstMade.Length == 0)
        {
            if (IsOurs(claim))
            {
                GiveBack(claim);
            }

            return;
        }

        // Not noted as made: what is there is ours if it is empty, and stays if it is not.
        foreach (var directory in (IEnumerable<string>)[.. IsOurs(claim) || claim.Inode == 0 ? [claim.Path] : Array.Empty<string>(), .. Parents(claim)])
        {
            if (!TryRemove(directory))
            {
                break;
            }
        }

        if (claim.Aside.Length > 0 && Directory.Exists(claim.Aside) && !Path.Exists(claim.Path))
        {
            Directory.Move(claim.Aside, claim.Path);
        }
    }

    /// <inheritdoc/>
    public void Settle(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        StagedFiles.RemoveStage(claim);
        if (claim.Aside.Length > 0 && Directory.Exists(claim.Aside))
        {
            DirectoryCleaner.Empty(claim.Aside);
            Directory.Delete(claim.Aside);
        }
    }

    /// <inheritdoc/>
    public DirectoryClaim? Identify(string path)
    {
        path = path.TrimEnd('/');
        return IsAllowed(path) && PathStatus.Read(path, follow: false) is { Type: TreeAttributes.Directory or TreeAttributes.RegularFile } status
            ? Claim(path, status) with { IsFile = status.Type == TreeAttributes.RegularFile }
            : null;
    }

    /// <inheritdoc/>
    public void Remove(DirectoryClaim claim)
    {
        ArgumentNullException.ThrowIfNull(claim);
        if (claim.IsFile)
        {
            if (IsAllowed(claim.Path) && StagedFiles.IsOurs(claim))
            {
                File.Delete(claim.Path);
            }
        }
        else if (IsAllowed(claim.Path) && IsOurs(claim))
        {
            DirectoryCleaner.Empty(claim.Path);
            _ = TryRemove(claim.Path);
        }
    }

    /// <summary>Strictly beneath one of the roots, and no symbolic link leads elsewhere.</summary>
    private bool IsAllowed(string path)
    {
        path = path.TrimEnd('/');
        if (!roots.Any(r => path.StartsWith(r.TrimEnd('/') + "/", StringComparison.Ordinal)))
        {
            return false;
        }

        for (var part = path; part is { Length: > 1 }; part = Path.GetDirectoryName(part))
        {
            if (PathStatus.Read(part, follow: false) is { Type: not TreeAttributes.Directory } status && !(part == path && status.Type == TreeAttributes.RegularFile))
            {
                return false;
            }
        }

        return true;
    }

    private static PlaceKind KindOf(string path, FileStatus? status) => status?.Type switch
    {
        null => PlaceKind.Missing,
        TreeAttributes.Directory => Directory.EnumerateFileSystemEntries(path).Any() ? PlaceKind.Directory : PlaceKind.EmptyDirectory,
        TreeAttributes.RegularFile => PlaceKind.File,
        _ => PlaceKind.Other,
    };

    private static bool IsOurs(DirectoryClaim claim) =>
        claim.Inode != 0 && PathStatus.Read(claim.Path, follow: false) is { Type: TreeAttributes.Directory } status && status.Inode == claim.Inode && Born(status) == claim.BornNanoseconds;

    private static DirectoryClaim Claim(string path, FileStatus status) => new() { Path = path, Inode = status.Inode, BornNanoseconds = Born(status) };

    internal static long Born(FileStatus status) => (status.BirthTime.Value.Seconds * 1_000_000_000) + status.BirthTime.Value.Nanoseconds;

    // From the directory's parent up to what was missing first.
    private static IEnumerable<string> Parents(DirectoryClaim claim)
    {
        for (var part = claim.Path; part != claim.FirstMade && Path.GetDirectoryName(part) is { Length: > 1 } parent; part = parent)
        {
            yield return parent;
        }
    }

    private static string FirstMissing(string path)
    {
        var first = path;
        while (Path.GetDirectoryName(first) is { } parent && PathStatus.Read(parent, follow: true) is null)
        {
            first = parent;
        }

        return first;
    }

    private static string NearestExisting(string path)
    {
        var existing = path;
        while (PathStatus.Read(existing, follow: true) is null && Path.GetDirectoryName(existing) is { } parent)
        {
            existing = parent;
        }

        return existing;
    }

    private static unsafe void MakeDirectory(string path, bool mayExist)
    {
        const uint Mode = 0x1ED; // rwxr-xr-x
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            if (FileCalls.MakeDirectory(FileCalls.CurrentDirectory, name, Mode) != 0 && !(mayExist && Marshal.GetLastPInvokeError() == ErrorCode.Exists))
            {
                throw FileError.Last("make", path);
            }
        }
    }

    private static unsafe bool TryRemove(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return FileCalls.Unlink(FileCalls.CurrentDirectory, name, FileCalls.RemoveDirectory) == 0 || Marshal.GetLastPInvokeError() == ErrorCode.NoEntry;
        }
    }

    private static unsafe void GiveBack(DirectoryClaim claim)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(claim.Path + '\0'))
        {
            if (FileCalls.ChangeOwner(FileCalls.CurrentDirectory, name, claim.User, claim.Group, FileCalls.SymlinkNoFollow) != 0
                || FileCalls.ChangeMode(FileCalls.CurrentDirectory, name, claim.Mode, 0) != 0)
            {
                throw FileError.Last("give its owner back to", claim.Path);
            }
        }
    }
}
