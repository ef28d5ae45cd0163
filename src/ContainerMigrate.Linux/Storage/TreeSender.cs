using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Reads a tree and writes it as records. The tree may change meanwhile: what vanishes is left out, a file that grows
/// or shrinks arrives with some content that it had, and its times are those from before it was read, so that a later look
/// finds it changed. Opens nothing but directories and regular files, whatever takes a name's place in between.
/// </summary>
internal sealed class TreeSender
{
    private const byte DirectoryType = 4; // DT_DIR
    private readonly DirectoryCursor _cursor;
    private readonly TreeRecordWriter _records;
    private readonly FileContentSender _content;
    private readonly TreeEntrySender _sender;
    private readonly CancellationToken _cancellationToken;
    private long _entries;

    public TreeSender(DirectoryCursor cursor, TreeRecordWriter records, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        _cursor = cursor;
        _records = records;
        _content = new FileContentSender(records, progress, cancellationToken);
        _sender = new TreeEntrySender(cursor, records, new LinkIds(), _content);
        _cancellationToken = cancellationToken;
    }

    /// <summary>Sends everything below the cursor's root, and the root's own attributes.</summary>
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public CopyTotals Run()
    {
        var listings = new Stack<(DirectoryListing Listing, int Next)>();
        listings.Push((DirectoryListing.Read(_cursor.Current, _cursor.Describe([])), 0));
        while (listings.TryPop(out var level))
        {
            _cancellationToken.ThrowIfCancellationRequested();
            var (listing, next) = level;
            DirectoryListing? entered = null;
            while (next < listing.Count && entered is null)
            {
                entered = SendEntry(listing.GetName(next), listing.GetEntryType(next));
                next++;
            }

            if (entered is not null)
            {
                listings.Push((listing, next));
                listings.Push((entered, 0));
                continue;
            }

            _ = _sender.SendDirectoryEnd();
            if (_cursor.Depth > 0)
            {
                _cursor.Leave();
            }
        }

        var totals = new CopyTotals(_entries, _content.TotalBytes);
        _records.TreeEnd(totals);
        return totals;
    }

    private static bool IsGone(int error) => error is ErrorCode.NoEntry or ErrorCode.Stale;

    /// <returns>The names to go on with, when the entry was a directory.</returns>
    private DirectoryListing? SendEntry(ReadOnlySpan<byte> name, byte entryType)
    {
        var error = 0;
        if (entryType == DirectoryType)
        {
            error = _cursor.TryEnter(name, out _);
            if (error == 0)
            {
                _records.Directory(name);
                _entries++;
                return DirectoryListing.Read(_cursor.Current, _cursor.Describe([]));
            }

            if (IsGone(error))
            {
                return null;
            }

            // Another kind of entry has taken the name, or another file system is mounted on it.
            if (error is not (ErrorCode.NotDirectory or ErrorCode.Loop or ErrorCode.CrossDevice))
            {
                throw FileError.Make(error, "open", _cursor.Describe(name));
            }
        }

        using var entry = Descriptor.OpenPath(_cursor.Current, name);
        if (!entry.IsOpen)
        {
            return IsGone(Marshal.GetLastPInvokeError()) ? null : throw FileError.Last("open", _cursor.Describe(name));
        }

        var status = entry.GetStatus();
        if (status.Links == 0)
        {
            return null;
        }

        if (status.Type != TreeAttributes.Directory)
        {
            _entries++;
            _ = _sender.Send(name, entry, status);
        }
        else if (error == ErrorCode.CrossDevice)
        {
            _entries++;
            _sender.SendMountPoint(name, status);
        }
        else if (entryType != DirectoryType)
        {
            // The listing did not tell; or it has become a directory just now, and if it changes once more it is left out.
            return SendEntry(name, DirectoryType);
        }

        return null;
    }
}
