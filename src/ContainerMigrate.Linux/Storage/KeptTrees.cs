using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Storage;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Keeps trees by renaming what is in them, into a directory on the same mount that only root can enter: in the state directory where that is on it, otherwise at
/// the mount point. A record in the state directory is there before anything is moved, and goes after all of it is removed.
/// </summary>
/// <param name="stateDirectory">The daemon's own.</param>
/// <param name="time">For the end of what is kept.</param>
public sealed partial class KeptTrees(string stateDirectory, TimeProvider time, ILogger<KeptTrees> logger) : IKeptTrees
{
    /// <summary>How long something is kept.</summary>
    public static readonly TimeSpan Time = TimeSpan.FromHours(24);

    private const string PlaceName = ".ctmigrate-kept";
    private const string RecordSuffix = ".json";
    private const long MaxEntries = FollowedTree.MaxEntries / 2;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Lock _lock = new();
    private readonly string _state = Path.Combine(stateDirectory, "kept");

    /// <inheritdoc/>
    public KeptSet? Find(string peer, string container) => Read(Path.Combine(_state, KeyOf(peer, container) + RecordSuffix)) is { } set && set.Until > time.GetUtcNow() ? set : null;

    /// <inheritdoc/>
    public IReadOnlyList<KeptSet> ReadAll() => Directory.Exists(_state) ? [.. Directory.EnumerateFiles(_state, "*" + RecordSuffix).Select(Read).OfType<KeptSet>()] : [];

    /// <inheritdoc/>
    public KeptSet? Keep(string peer, string container, IReadOnlyDictionary<string, string> trees)
    {
        ArgumentNullException.ThrowIfNull(trees);
        lock (_lock)
        {
            try
            {
                Remove(peer, container);
                var places = trees.Where(t => Directory.Exists(t.Value)).Select((t, i) => (Name: t.Key, From: t.Value, To: PlaceFor(t.Value) is { } place ? Path.Combine(place, KeyOf(peer, container), $"{i}") : null)).Where(p => p.To is not null).ToList();
                var set = new KeptSet(peer, container, time.GetUtcNow() + Time, 0, places.ToDictionary(p => p.Name, p => p.To!));
                Write(set);
                foreach (var place in places)
                {
                    MakePrivate(Path.GetDirectoryName(Path.GetDirectoryName(place.To!)!)!);
                    MakePrivate(Path.GetDirectoryName(place.To!)!);
                    MakePrivate(place.To!);
                    MoveEntries(place.From, place.To!);
                }

                set = set with { Bytes = Measure(set) };
                if (set.Bytes == 0 || !HasRoom(set))
                {
                    Remove(set);
                    return null;
                }

                Write(set);
                LogKept(set.Bytes, peer, container);
                return set;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogNotKept(peer, container, e.Message);
                TryRemove(peer, container);
                return null;
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Adopt(string peer, string container, IReadOnlyDictionary<string, string> trees)
    {
        ArgumentNullException.ThrowIfNull(trees);
        lock (_lock)
        {
            var adopted = new List<string>();
            if (Find(peer, container) is { } set)
            {
                foreach (var (name, to) in trees)
                {
                    try
                    {
                        if (set.Directories.TryGetValue(name, out var from) && Directory.Exists(from))
                        {
                            MoveEntries(from, to);
                            adopted.Add(name);
                        }
                    }
                    catch (IOException e)
                    {
                        LogNotKept(peer, container, e.Message); // what did not come is sent
                    }
                }

                LogAdopted(set.Bytes, peer, container);
            }

            TryRemove(peer, container);
            return adopted;
        }
    }

    /// <inheritdoc/>
    public void Sweep()
    {
        lock (_lock)
        {
            foreach (var set in ReadAll())
            {
                try
                {
                    if (set.Until <= time.GetUtcNow() || !HasRoom(set))
                    {
                        LogRemoved(set.Peer, set.Container);
                        Remove(set);
                    }
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    LogNotKept(set.Peer, set.Container, e.Message); // the next sweep tries again
                }
            }
        }
    }

    /// <inheritdoc/>
    public async Task DescribeAsync(string directory, Stream destination, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var blocks = new BlockWriter(stop.Token);
        var walk = TreeTransfer.StartThread(
            () =>
            {
                KeptListing.Write(directory, blocks, stop.Token);
                blocks.Complete();
                return true;
            },
            stop.Token);
        await TreeTransfer.CompleteBothAsync(walk, blocks.PumpAsync(destination, stop.Token), stop);
    }

    private static string KeyOf(string peer, string container) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{peer}\0{container}")))[..32];

    private static KeptSet? Read(string path)
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), KeptJson.Default.KeptSet) : null;
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }

    private void Write(KeptSet set)
    {
        MakePrivate(_state);
        DurableFile.Replace(Path.Combine(_state, KeyOf(set.Peer, set.Container) + RecordSuffix), JsonSerializer.SerializeToUtf8Bytes(set, KeptJson.Default.KeptSet));
    }

    private void TryRemove(string peer, string container)
    {
        try
        {
            Remove(peer, container);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(peer, container, e.Message); // its record stays, and a sweep tries again
        }
    }

    private void Remove(string peer, string container)
    {
        if (Read(Path.Combine(_state, KeyOf(peer, container) + RecordSuffix)) is { } set)
        {
            Remove(set);
        }
    }

    private void Remove(KeptSet set)
    {
        foreach (var directory in set.Directories.Values.Where(Directory.Exists))
        {
            DirectoryCleaner.Empty(directory);
            Directory.Delete(directory);
            RemoveIfEmpty(Path.GetDirectoryName(directory)!);
            RemoveIfEmpty(Path.GetDirectoryName(Path.GetDirectoryName(directory)!)!);
        }

        File.Delete(Path.Combine(_state, KeyOf(set.Peer, set.Container) + RecordSuffix));
        RemoveIfEmpty(_state);
    }

    private static void RemoveIfEmpty(string directory)
    {
        if (Directory.Exists(directory) && !Directory.EnumerateFileSystemEntries(directory).Any())
        {
            Directory.Delete(directory);
        }
    }

    private static long Measure(KeptSet set)
    {
        var (bytes, entries) = (0L, 0L);
        foreach (var directory in set.Directories.Values)
        {
            using var cursor = new DirectoryCursor(directory);
            var totals = TreeMeasurer.Run(cursor, CancellationToken.None);
            (bytes, entries) = (bytes + totals.ContentBytes, entries + totals.Entries);
        }

        return entries <= MaxEntries ? bytes : 0;
    }

    // As much has to be free as is kept: it is never what fills a disk.
    private static bool HasRoom(KeptSet set) => set.Directories.Values.Where(Directory.Exists).All(d => DiskSpace.Of(d).AvailableBytes >= set.Bytes);

    /// <summary>A directory on the same mount, outside of the tree; null for none.</summary>
    private string? PlaceFor(string tree)
    {
        MakePrivate(_state);
        var mount = MountOf(tree);
        if (MountOf(_state) == mount)
        {
            return Path.Combine(_state, "trees");
        }

        var root = tree;
        while (Path.GetDirectoryName(root) is { } parent && MountOf(parent) == mount)
        {
            root = parent;
        }

        return root == tree ? null : Path.Combine(root, PlaceName);
    }

    // Somebody else's directory of that name, or a link, is not used.
    private static void MakePrivate(string directory)
    {
        Directory.CreateDirectory(directory, Private);
        var status = StatusOf(directory);
        if (status is not { Type: TreeAttributes.Directory, UserId: 0 } || (status.Mode & 0x3Fu) != 0)
        {
            throw new IOException($"{directory} is not a directory of root's own");
        }
    }

    private static ulong MountOf(string path) => StatusOf(path).MountId;

    private static unsafe FileStatus StatusOf(string path)
    {
        FileStatus status;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return FileCalls.Statx(FileCalls.CurrentDirectory, name, FileCalls.SymlinkNoFollow, FileCalls.StatisticsMask | FileCalls.MountIdMask, &status) == 0
                ? status
                : throw FileError.Last("stat", path);
        }
    }

    // By their bytes: names need not be text.
    private static unsafe void MoveEntries(string from, string to)
    {
        using var source = new DirectoryCursor(from);
        using var target = new DirectoryCursor(to);
        var listing = DirectoryListing.Read(source.Current, from);
        for (var i = 0; i < listing.Count; i++)
        {
            var name = new TerminatedName(listing.GetName(i));
            if (FileCalls.Rename(source.Current, (byte*)&name, target.Current, (byte*)&name, FileCalls.RenameNoReplace) != 0 && Marshal.GetLastPInvokeError() != ErrorCode.Exists)
            {
                throw FileError.Last("move", source.Describe(listing.GetName(i)));
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "{Bytes} bytes of files are kept for {Peer}'s next attempt to send {Container}")]
    private partial void LogKept(long bytes, string peer, string container);

    [LoggerMessage(LogLevel.Information, "up to {Bytes} bytes of files from {Peer}'s last attempt to send {Container} are taken up again")]
    private partial void LogAdopted(long bytes, string peer, string container);

    [LoggerMessage(LogLevel.Warning, "files from {Peer}'s attempt to send {Container}: {Reason}")]
    private partial void LogNotKept(string peer, string container, string reason);

    [LoggerMessage(LogLevel.Information, "what was kept of {Peer}'s attempt to send {Container} is removed")]
    private partial void LogRemoved(string peer, string container);
}
