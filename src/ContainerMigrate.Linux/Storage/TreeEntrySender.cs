using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Writes one entry after the other as records, with its content and extended attributes. Opens nothing but directories and regular
/// files, whatever takes a name's place in between.
/// </summary>
internal sealed class TreeEntrySender
{
    private readonly DirectoryCursor _cursor;
    private readonly TreeRecordWriter _records;
    private readonly FileContentSender _content;
    private readonly LinkIds _links;
    private readonly ExtendedAttributes _extended = new();
    private readonly ExtendedAttributes.Visitor _sendAttribute;
    private readonly byte[] _target = new byte[TreeStreamFormat.MaxTargetLength + 1];

    public TreeEntrySender(DirectoryCursor cursor, TreeRecordWriter records, LinkIds links, FileContentSender content)
    {
        _cursor = cursor;
        _records = records;
        _links = links;
        _content = content;
        _sendAttribute = (name, value) =>
        {
            if (ExtendedAttributePolicy.Travels(name))
            {
                _records.Attribute(name, value);
            }
        };
    }

    /// <summary>Sends a file, symlink or node of the cursor's directory, or one more name for it.</summary>
    /// <param name="name">In the cursor's directory.</param>
    /// <param name="entry">An O_PATH descriptor.</param>
    /// <param name="status">Read from it.</param>
    /// <param name="blocks">Takes the digests of a regular file's content; null for none.</param>
    /// <returns>The number under which the entry's further names follow; 0 when it has one.</returns>
    public ulong Send(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status, BlockDigests? blocks = null)
    {
        var linkId = _links.Find(status, out var use);
        if (use != LinkUse.First)
        {
            _records.Link(name, linkId, use == LinkUse.Last);
            return linkId;
        }

        switch (status.Type)
        {
            case TreeAttributes.RegularFile:
                SendFile(name, entry, status, linkId, blocks);
                return linkId;
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
        return linkId;
    }

    /// <summary>Sends what of a file's content is not as it was sent before.</summary>
    /// <param name="blocks">Of what was sent before; then of what is there.</param>
    public void SendPatch(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status, BlockDigests blocks)
    {
        using var file = Open(name, entry);
        _records.Patch(name, status.Attributes);
        _records.FileEnd(_content.SendChanges(file, status, blocks, _cursor, name));
        SendAttributes(file, isPathOnly: false, name);
        _records.EntryEnd();
    }

    /// <summary>What is mounted there is not of this tree; the directory under it is, but cannot be seen.</summary>
    public void SendMountPoint(ReadOnlySpan<byte> name, in FileStatus status)
    {
        _records.Directory(name);
        _records.DirectoryEnd(status.Attributes);
        _records.EntryEnd();
    }

    /// <summary>Ends the cursor's directory.</summary>
    /// <returns>Its status, from before its attributes were read.</returns>
    public FileStatus SendDirectoryEnd()
    {
        var directory = new Descriptor(_cursor.Current);
        var status = directory.GetStatus(_cursor.Describe([]));
        _records.DirectoryEnd(status.Attributes);
        SendAttributes(directory, isPathOnly: false, []);
        _records.EntryEnd();
        return status;
    }

    private void SendFile(ReadOnlySpan<byte> name, Descriptor entry, in FileStatus status, ulong linkId, BlockDigests? blocks)
    {
        using var file = Open(name, entry);
        _records.File(name, status.Attributes, linkId);
        // A file bind-mounted over this one is not of this tree; its mount point is.
        var size = status.IsMountRoot ? 0 : _content.Send(file, status, blocks, _cursor, name);
        _records.FileEnd(size);
        SendAttributes(file, isPathOnly: false, name);
        _records.EntryEnd();
    }

    private Descriptor Open(ReadOnlySpan<byte> name, Descriptor entry)
    {
        var file = entry.OpenContent();
        return file.IsOpen ? file : throw FileError.Last("open", _cursor.Describe(name));
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
