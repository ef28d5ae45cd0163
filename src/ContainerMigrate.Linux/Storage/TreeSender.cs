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
    private readonly ExtendedAttributes _extended = new();
    private readonly ExtendedAttributes.Visitor _sendAttribute;
    private readonly LinkIds _links = new();
    private readonly CancellationToken _cancellationToken;
    private readonly byte[] _target = new byte[TreeStreamFormat.MaxTargetLength + 1];
    private long _entries;

    public TreeSender(DirectoryCursor cursor, TreeRecordWriter records, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        _cursor = cursor;
        _records = records;
        _content = new FileContentSender(records, progress, cancellationToken);
        _cancellationToken = cancellationToken;
        _sendAttribute = (name, value) =>
        {
            if (ExtendedAttributePolicy.Travels(name))
            {
                _records.Attribute(name, value);
            }
        };
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

            SendDirectoryEnd();
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
            SendNonDirectory(name, entry, status);
        }
        else if (error == ErrorCode.CrossDevice)
        {
            SendMountPoint(name, status);
        }
        else if (entryType != DirectoryType)
        {
            // The listing did not tell; or it has become a directory just now, and if it changes once more it is left out.
            return SendEntry(name, DirectoryType);
        }

        return null;
    }

    /// <summary>What is mounted there is not of this tree; the directory under it is, but cannot be seen.</summary>
    private void SendMountPoint(ReadOnlySpan<byte> name, in FileStatus status)
    {
        _entries++;
        _records.Directory(name);
        _records.DirectoryEnd(status.Attributes);
        _records.EntryEnd();
    }

    private void SendNonDirectory(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status)
    {
        var linkId = _links.Find(status, out var use);
        _entries++;
        if (use != LinkUse.First)
        {
            _records.Link(name, linkId, use == LinkUse.Last);
            return;
        }

        switch (status.Type)
        {
            case TreeAttributes.RegularFile:
                SendFile(name, entry, status, linkId);
                return;
            case TreeAttributes.SymbolicLink:
                _records.Symlink(name, status.Attributes, linkId, ReadTarget(entry, name));
                break;
            default:
                var isDevice = status.Type is TreeAttributes.CharacterDevice or TreeAttributes.BlockDevice;
                _records.Node(name, status.Attributes, linkId, isDevice ? status.SpecialMajor : 0, isDevice ? status.SpecialMinor : 0);
                break;
        }

        SendAttributes(entry, isPathOnly: true, name);
        _records.EntryEnd();
    }

    private void SendFile(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status, ulong linkId)
    {
        // A file bind-mounted over this one is not of this tree; its mount point is.
        using var file = entry.OpenContent();
        if (!file.IsOpen)
        {
            throw FileError.Last("open", _cursor.Describe(name));
        }

        _records.File(name, status.Attributes, linkId);
        var size = status.IsMountRoot ? 0 : _content.Send(file, status, _cursor, name);
        _records.FileEnd(size);
        SendAttributes(file, isPathOnly: false, name);
        _records.EntryEnd();
    }

    private void SendDirectoryEnd()
    {
        var directory = new Descriptor(_cursor.Current);
        _records.DirectoryEnd(directory.GetStatus(_cursor.Describe([])).Attributes);
        SendAttributes(directory, isPathOnly: false, []);
        _records.EntryEnd();
    }

    private void SendAttributes(Descriptor descriptor, bool isPathOnly, ReadOnlySpan<byte> name)
    {
        try
        {
            _extended.Read(descriptor.Value, isPathOnly, _sendAttribute);
        }
        catch (IOException e)
        {
            throw new IOException($"{_cursor.Describe(name)}: {e.Message}", e);
        }
    }

    private unsafe ReadOnlySpan<byte> ReadTarget(Descriptor link, ReadOnlySpan<byte> name)
    {
        var empty = (byte)0;
        fixed (byte* target = _target)
        {
            var length = FileCalls.ReadLink(link.Value, &empty, target, (nuint)_target.Length);
            if (length < 0)
            {
                throw FileError.Last("read link", _cursor.Describe(name));
            }

            return length <= TreeStreamFormat.MaxTargetLength
                ? _target.AsSpan(0, (int)length)
                : throw new IOException($"read link {_cursor.Describe(name)}: its target is longer than {TreeStreamFormat.MaxTargetLength} bytes");
        }
    }
}
