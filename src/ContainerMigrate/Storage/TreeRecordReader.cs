using System.Buffers.Binary;

namespace ContainerMigrate.Storage;

/// <summary>
/// Reads the records of <see cref="TreeStreamFormat"/> and checks all that can be checked without a file system: order,
/// nesting, lengths, names, numbers, totals. What passes is well formed, not harmless.
/// </summary>
public sealed class TreeRecordReader
{
    private readonly BlockReader _blocks;
    private readonly bool _mayChange;
    private State _state = State.Start;
    private TreeRecordKind _entry;
    private ReadOnlyMemory<byte> _name;
    private ReadOnlyMemory<byte> _value;
    private long _position;
    private bool _afterHole;
    private bool _afterKept;
    private long _entries;
    private long _contentBytes;

    /// <param name="blocks">Its pump has to run meanwhile.</param>
    /// <param name="mayChange">Whether changes are taken too, and not only a whole tree.</param>
    public TreeRecordReader(BlockReader blocks, bool mayChange = false)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        _blocks = blocks;
        _mayChange = mayChange;
    }

    private enum State
    {
        Start,
        InDirectory,
        InContent,
        InAttributes,
        RootDone,
        Done,
    }

    /// <summary>Whether the stream brings changes to what is there; known with the first record.</summary>
    public bool IsChange { get; private set; }

    /// <summary>Whether the content that follows is for a file that is there already.</summary>
    public bool IsPatch { get; private set; }

    /// <summary>Bytes of the Hole read last, which ends at <see cref="Position"/>.</summary>
    public long HoleLength { get; private set; }

    /// <summary>Open directories below the root.</summary>
    public int Depth { get; private set; }

    /// <summary>Entries and content seen so far.</summary>
    public CopyTotals Totals => new(_entries, _contentBytes);

    /// <summary>Name of the entry or of the extended attribute; valid until the next call of <see cref="Next"/>, like all spans here.</summary>
    public ReadOnlySpan<byte> Name => _name.Span;

    /// <summary>Content, an extended attribute's value, or a symlink's target.</summary>
    public ReadOnlySpan<byte> Value => _value.Span;

    /// <summary>Of File, Patch, Symlink, Node and DirectoryEnd.</summary>
    public TreeAttributes Attributes { get; private set; }

    /// <summary>Of File, Symlink, Node (0 when it has one name) and Link (never 0).</summary>
    public ulong LinkId { get; private set; }

    /// <summary>Of Node.</summary>
    public uint DeviceMajor { get; private set; }

    /// <summary>Of Node.</summary>
    public uint DeviceMinor { get; private set; }

    /// <summary>Where Data belongs; after Hole, Keep and FileEnd the position reached.</summary>
    public long Position { get; private set; }

    /// <summary>True at FileEnd when nothing was written at the file's end, so that its size has to be set.</summary>
    public bool EndsInHole => _afterHole;

    /// <summary>The next record; <see cref="TreeRecordKind.TreeEnd"/> is the last and comes after digest and end were verified.</summary>
    /// <exception cref="InvalidDataException">The stream breaks its format.</exception>
    public TreeRecordKind Next()
    {
        if (_state == State.Start)
        {
            ReadHeader();
        }

        _blocks.BeginRecord();
        var kind = (TreeRecordKind)_blocks.Take(1).Span[0];
        switch (_state)
        {
            case State.InDirectory:
                ReadInDirectory(kind);
                break;
            case State.InContent:
                ReadInContent(kind);
                break;
            case State.InAttributes:
                ReadInAttributes(kind);
                break;
            case State.RootDone when kind == TreeRecordKind.TreeEnd:
                ReadTreeEnd();
                break;
            default:
                throw OutOfPlace(kind);
        }

        return kind;
    }

    private InvalidDataException OutOfPlace(TreeRecordKind kind) => new($"file stream: record {(byte)kind} has no place in state {_state}");

    private void ReadHeader()
    {
        _blocks.BeginRecord();
        var header = _blocks.Take(TreeStreamFormat.HeaderLength).Span;
        if (BinaryPrimitives.ReadUInt64LittleEndian(header) != TreeStreamFormat.Magic)
        {
            throw new InvalidDataException("file stream: it does not begin with the mark of a directory tree");
        }

        var version = BinaryPrimitives.ReadUInt16LittleEndian(header[8..]);
        if (version != TreeStreamFormat.Version)
        {
            throw new InvalidDataException($"file stream: version {version} is not known here (known: {TreeStreamFormat.Version})");
        }

        var content = BinaryPrimitives.ReadUInt16LittleEndian(header[10..]);
        IsChange = content == TreeStreamFormat.Changes;
        if (IsChange ? !_mayChange : content != TreeStreamFormat.WholeTree)
        {
            throw new InvalidDataException($"file stream: content of kind {content} is not taken here");
        }

        _state = State.InDirectory;
    }

    private void ReadInDirectory(TreeRecordKind kind)
    {
        switch (kind)
        {
            case TreeRecordKind.Directory:
            case TreeRecordKind.Enter when IsChange:
                ReadEntryName();
                if (++Depth > TreeStreamFormat.MaxDepth)
                {
                    throw new InvalidDataException($"file stream: more than {TreeStreamFormat.MaxDepth} directories within each other");
                }

                break;
            case TreeRecordKind.DirectoryEnd:
                ReadAttributes(TreeAttributes.Directory);
                BeginAttributes(kind);
                break;
            case TreeRecordKind.File:
                ReadAttributes(TreeAttributes.RegularFile);
                LinkId = ReadUInt64();
                BeginContent(isPatch: false);
                break;
            case TreeRecordKind.Patch when IsChange:
                ReadAttributes(TreeAttributes.RegularFile);
                BeginContent(isPatch: true);
                break;
            case TreeRecordKind.Remove when IsChange:
                ReadEntryName();
                break;
            case TreeRecordKind.Symlink:
                ReadAttributes(TreeAttributes.SymbolicLink);
                LinkId = ReadUInt64();
                ReadEntryName();
                ReadTarget();
                BeginAttributes(kind);
                break;
            case TreeRecordKind.Node:
                ReadNode();
                BeginAttributes(kind);
                break;
            case TreeRecordKind.Link or TreeRecordKind.LastLink:
                LinkId = ReadUInt64();
                ReadEntryName();
                if (LinkId == 0)
                {
                    throw new InvalidDataException("file stream: a hard link without an id");
                }

                break;
            default:
                throw OutOfPlace(kind);
        }
    }

    private void BeginContent(bool isPatch)
    {
        ReadEntryName();
        IsPatch = isPatch;
        _position = Position = 0;
        _afterHole = _afterKept = false;
        _state = State.InContent;
    }

    private void ReadInContent(TreeRecordKind kind)
    {
        switch (kind)
        {
            case TreeRecordKind.Data:
                var length = ReadUInt32();
                if (length is 0 or > TreeStreamFormat.MaxBlockLength)
                {
                    throw new InvalidDataException($"file stream: a piece of content of {length} bytes");
                }

                _value = _blocks.Take((int)length);
                Position = _position;
                _position = Forward(length);
                _contentBytes += length;
                _afterHole = _afterKept = false;
                break;
            case TreeRecordKind.Hole:
                var hole = ReadUInt64();
                if (hole == 0 || _afterHole)
                {
                    throw new InvalidDataException("file stream: an empty hole, or a hole after a hole");
                }

                _position = Forward(hole);
                Position = _position;
                HoleLength = (long)hole;
                (_afterHole, _afterKept) = (true, false);
                break;
            case TreeRecordKind.Keep when IsPatch:
                var kept = ReadUInt64();
                if (kept == 0 || _afterKept)
                {
                    throw new InvalidDataException("file stream: nothing is kept, or twice in a row");
                }

                _position = Forward(kept);
                Position = _position;
                (_afterHole, _afterKept) = (false, true);
                break;
            case TreeRecordKind.FileEnd:
                var size = ReadUInt64();
                if (size != (ulong)_position)
                {
                    throw new InvalidDataException($"file stream: a file of {size} bytes came with {_position}");
                }

                Position = _position;
                BeginAttributes(kind);
                break;
            default:
                throw OutOfPlace(kind);
        }
    }

    private void ReadInAttributes(TreeRecordKind kind)
    {
        switch (kind)
        {
            case TreeRecordKind.Attribute:
                _name = ReadShortBytes("extended attribute");
                var length = ReadUInt32();
                if (length > TreeStreamFormat.MaxAttributeValueLength)
                {
                    throw new InvalidDataException($"file stream: an extended attribute of {length} bytes (at most {TreeStreamFormat.MaxAttributeValueLength} are allowed)");
                }

                _value = _blocks.Take((int)length);
                break;
            case TreeRecordKind.EntryEnd when _entry == TreeRecordKind.DirectoryEnd:
                _state = Depth == 0 ? State.RootDone : State.InDirectory;
                Depth = Math.Max(0, Depth - 1);
                break;
            case TreeRecordKind.EntryEnd:
                _state = State.InDirectory;
                break;
            default:
                throw OutOfPlace(kind);
        }
    }

    private void ReadTreeEnd()
    {
        var entries = ReadUInt64();
        var bytes = ReadUInt64();
        if (entries != (ulong)_entries || bytes != (ulong)_contentBytes)
        {
            throw new InvalidDataException($"file stream: {_entries} entries with {_contentBytes} bytes came, {entries} with {bytes} were announced");
        }

        if (!_blocks.IsAtEnd())
        {
            throw new InvalidDataException("file stream: it goes on after the tree's end");
        }

        _state = State.Done;
    }

    private void ReadNode()
    {
        ReadAttributes(expectedType: null);
        LinkId = ReadUInt64();
        DeviceMajor = ReadUInt32();
        DeviceMinor = ReadUInt32();
        ReadEntryName();
        var isDevice = Attributes.Type is TreeAttributes.CharacterDevice or TreeAttributes.BlockDevice;
        if (!isDevice && Attributes.Type is not (TreeAttributes.Fifo or TreeAttributes.Socket))
        {
            throw new InvalidDataException($"file stream: a node of type {Attributes.Type:x}");
        }

        // The kernel's dev_t has 12 and 20 bits (linux/kdev_t.h).
        if (isDevice ? DeviceMajor >= 1 << 12 || DeviceMinor >= 1 << 20 : (DeviceMajor | DeviceMinor) != 0)
        {
            throw new InvalidDataException($"file stream: device number {DeviceMajor}:{DeviceMinor}");
        }
    }

    private void ReadTarget()
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(_blocks.Take(sizeof(ushort)).Span);
        if (length is 0 or > TreeStreamFormat.MaxTargetLength)
        {
            throw new InvalidDataException($"file stream: a symbolic link's target of {length} bytes");
        }

        _value = _blocks.Take(length);
        if (_value.Span.Contains((byte)0))
        {
            throw new InvalidDataException("file stream: a symbolic link's target with a zero byte");
        }
    }

    private void ReadEntryName()
    {
        _name = ReadShortBytes("name");
        var name = _name.Span;
        if (name.Contains((byte)'/') || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
        {
            throw new InvalidDataException($"file stream: the name '{EntryName.Describe(name)}' leads elsewhere");
        }

        _entries++;
    }

    private ReadOnlyMemory<byte> ReadShortBytes(string what)
    {
        var length = _blocks.Take(1).Span[0];
        if (length == 0)
        {
            throw new InvalidDataException($"file stream: an empty {what}");
        }

        var bytes = _blocks.Take(length);
        return bytes.Span.Contains((byte)0)
            ? throw new InvalidDataException($"file stream: a {what} with a zero byte, '{EntryName.Describe(bytes.Span)}'")
            : bytes;
    }

    private void ReadAttributes(uint? expectedType)
    {
        var attributes = new TreeAttributes(ReadUInt32(), ReadUInt32(), ReadUInt32(), ReadTime(), ReadTime());
        if (attributes.Mode > ushort.MaxValue || (expectedType is { } type && attributes.Type != type))
        {
            throw new InvalidDataException($"file stream: mode {Convert.ToString(attributes.Mode, 8)} does not fit the entry");
        }

        if (attributes.UserId == uint.MaxValue || attributes.GroupId == uint.MaxValue)
        {
            throw new InvalidDataException("file stream: an owner or group of -1");
        }

        Attributes = attributes;
    }

    private FileTime ReadTime()
    {
        var time = new FileTime((long)ReadUInt64(), ReadUInt32());
        return time.Nanoseconds < 1_000_000_000
            ? time
            : throw new InvalidDataException($"file stream: a time with {time.Nanoseconds} nanoseconds");
    }

    private long Forward(ulong length) =>
        length <= (ulong)(long.MaxValue - _position)
            ? _position + (long)length
            : throw new InvalidDataException("file stream: a file of more than 2^63 bytes");

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(_blocks.Take(sizeof(uint)).Span);

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(_blocks.Take(sizeof(ulong)).Span);

    private void BeginAttributes(TreeRecordKind entry)
    {
        _entry = entry;
        _state = State.InAttributes;
    }
}
