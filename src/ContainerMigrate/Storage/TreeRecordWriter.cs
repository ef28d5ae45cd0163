using System.Buffers.Binary;

namespace ContainerMigrate.Storage;

/// <summary>
/// Writes the records of <see cref="TreeStreamFormat"/> in the order in which they are called; it checks lengths, not
/// the order.
/// </summary>
public sealed class TreeRecordWriter
{
    private const int AttributesLength = 36;
    private const int DataHeadLength = 1 + sizeof(uint);
    private const int PageLength = 4096;
    private readonly BlockWriter _blocks;

    /// <summary>Writes the header.</summary>
    /// <param name="blocks">Its pump has to run meanwhile.</param>
    /// <param name="content"><see cref="TreeStreamFormat.WholeTree"/> or <see cref="TreeStreamFormat.Changes"/>.</param>
    public TreeRecordWriter(BlockWriter blocks, ushort content = TreeStreamFormat.WholeTree)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        _blocks = blocks;
        var span = blocks.GetSpan(TreeStreamFormat.HeaderLength);
        BinaryPrimitives.WriteUInt64LittleEndian(span, TreeStreamFormat.Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(span[8..], TreeStreamFormat.Version);
        BinaryPrimitives.WriteUInt16LittleEndian(span[10..], content);
        blocks.Advance(TreeStreamFormat.HeaderLength);
    }

    public void Directory(ReadOnlySpan<byte> name) => Named(TreeRecordKind.Directory, name);

    /// <summary>Goes into a directory that is there already.</summary>
    public void Enter(ReadOnlySpan<byte> name) => Named(TreeRecordKind.Enter, name);

    public void Remove(ReadOnlySpan<byte> name) => Named(TreeRecordKind.Remove, name);

    /// <summary>Changes the content of a file that is there already; all of it that is to stay has to be kept.</summary>
    public void Patch(ReadOnlySpan<byte> name, in TreeAttributes attributes)
    {
        var cursor = Begin(TreeRecordKind.Patch, AttributesLength + 1 + name.Length);
        cursor.Attributes(attributes);
        cursor.Name(name);
        End(cursor);
    }

    public void Keep(long length)
    {
        var cursor = Begin(TreeRecordKind.Keep, sizeof(ulong));
        cursor.UInt64((ulong)length);
        End(cursor);
    }

    public void DirectoryEnd(in TreeAttributes attributes)
    {
        var cursor = Begin(TreeRecordKind.DirectoryEnd, AttributesLength);
        cursor.Attributes(attributes);
        End(cursor);
    }

    public void File(ReadOnlySpan<byte> name, in TreeAttributes attributes, ulong linkId)
    {
        var cursor = Begin(TreeRecordKind.File, AttributesLength + sizeof(ulong) + 1 + name.Length);
        cursor.Attributes(attributes);
        cursor.UInt64(linkId);
        cursor.Name(name);
        End(cursor);
    }

    /// <summary>Room for the next piece of content, to be read into and then kept with <see cref="EndData"/>.</summary>
    /// <param name="position">Position in the file; pieces are cut so that later ones start on a page.</param>
    /// <param name="wanted">Bytes up to which content is expected, more than 0.</param>
    public Span<byte> BeginData(long position, long wanted)
    {
        // A piece that would not fill a page is not worth a record, unless it is all there is.
        var free = _blocks.GetSpan(DataHeadLength + (int)Math.Min(wanted, PageLength))[DataHeadLength..];
        if (free.Length >= wanted)
        {
            return free[..(int)wanted];
        }

        var aligned = ((position + free.Length) & -PageLength) - position;
        return aligned > 0 ? free[..(int)aligned] : free;
    }

    /// <summary>Keeps the first <paramref name="count"/> bytes of what <see cref="BeginData"/> returned; none for 0.</summary>
    public void EndData(int count)
    {
        if (count == 0)
        {
            return;
        }

        var head = _blocks.GetSpan(DataHeadLength + count);
        head[0] = (byte)TreeRecordKind.Data;
        BinaryPrimitives.WriteUInt32LittleEndian(head[1..], (uint)count);
        _blocks.Advance(DataHeadLength + count);
    }

    public void Hole(long length)
    {
        var cursor = Begin(TreeRecordKind.Hole, sizeof(ulong));
        cursor.UInt64((ulong)length);
        End(cursor);
    }

    public void FileEnd(long size)
    {
        var cursor = Begin(TreeRecordKind.FileEnd, sizeof(ulong));
        cursor.UInt64((ulong)size);
        End(cursor);
    }

    public void Symlink(ReadOnlySpan<byte> name, in TreeAttributes attributes, ulong linkId, ReadOnlySpan<byte> target)
    {
        var cursor = Begin(TreeRecordKind.Symlink, AttributesLength + sizeof(ulong) + 1 + name.Length + sizeof(ushort) + target.Length);
        cursor.Attributes(attributes);
        cursor.UInt64(linkId);
        cursor.Name(name);
        cursor.UInt16((ushort)target.Length);
        cursor.Bytes(target);
        End(cursor);
    }

    /// <param name="name">One to 255 bytes.</param>
    /// <param name="attributes">With the type in its mode.</param>
    /// <param name="linkId">0 for none.</param>
    /// <param name="major">Of the device, 0 for others.</param>
    /// <param name="minor">Of the device, 0 for others.</param>
    public void Node(ReadOnlySpan<byte> name, in TreeAttributes attributes, ulong linkId, uint major, uint minor)
    {
        var cursor = Begin(TreeRecordKind.Node, AttributesLength + sizeof(ulong) + (2 * sizeof(uint)) + 1 + name.Length);
        cursor.Attributes(attributes);
        cursor.UInt64(linkId);
        cursor.UInt32(major);
        cursor.UInt32(minor);
        cursor.Name(name);
        End(cursor);
    }

    /// <param name="name">One to 255 bytes.</param>
    /// <param name="linkId">Not 0; sent before with the entry itself.</param>
    /// <param name="isLast">True when the id is not used again, so the receiver may forget it.</param>
    public void Link(ReadOnlySpan<byte> name, ulong linkId, bool isLast)
    {
        var cursor = Begin(isLast ? TreeRecordKind.LastLink : TreeRecordKind.Link, sizeof(ulong) + 1 + name.Length);
        cursor.UInt64(linkId);
        cursor.Name(name);
        End(cursor);
    }

    public void Attribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var cursor = Begin(TreeRecordKind.Attribute, 1 + name.Length + sizeof(uint) + value.Length);
        cursor.Name(name);
        cursor.UInt32((uint)value.Length);
        cursor.Bytes(value);
        End(cursor);
    }

    public void EntryEnd() => End(Begin(TreeRecordKind.EntryEnd, 0));

    public void TreeEnd(CopyTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        var cursor = Begin(TreeRecordKind.TreeEnd, 2 * sizeof(ulong));
        cursor.UInt64((ulong)totals.Entries);
        cursor.UInt64((ulong)totals.ContentBytes);
        End(cursor);
    }

    private void Named(TreeRecordKind kind, ReadOnlySpan<byte> name)
    {
        var cursor = Begin(kind, 1 + name.Length);
        cursor.Name(name);
        End(cursor);
    }

    private Cursor Begin(TreeRecordKind kind, int length)
    {
        var cursor = new Cursor(_blocks.GetSpan(1 + length));
        cursor.Byte((byte)kind);
        return cursor;
    }

    private void End(Cursor cursor) => _blocks.Advance(cursor.Position);

    private ref struct Cursor(Span<byte> span)
    {
        private readonly Span<byte> _span = span;

        public int Position { get; private set; }

        public void Byte(byte value) => _span[Position++] = value;

        public void UInt16(ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_span[Position..], value);
            Position += sizeof(ushort);
        }

        public void UInt32(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_span[Position..], value);
            Position += sizeof(uint);
        }

        public void UInt64(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_span[Position..], value);
            Position += sizeof(ulong);
        }

        public void Bytes(ReadOnlySpan<byte> value)
        {
            value.CopyTo(_span[Position..]);
            Position += value.Length;
        }

        public void Name(ReadOnlySpan<byte> value)
        {
            Byte(checked((byte)value.Length));
            Bytes(value);
        }

        public void Attributes(in TreeAttributes value)
        {
            UInt32(value.Mode);
            UInt32(value.UserId);
            UInt32(value.GroupId);
            UInt64((ulong)value.AccessTime.Seconds);
            UInt32(value.AccessTime.Nanoseconds);
            UInt64((ulong)value.ModificationTime.Seconds);
            UInt32(value.ModificationTime.Nanoseconds);
        }
    }
}
