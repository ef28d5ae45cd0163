using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Makes the entries that the records tell of, each by one name in the directory reached: nothing can lead out of the
/// root, because no call takes a path and no existing entry is ever opened but a directory or regular file that is not a symlink. What is
/// there already is never replaced unless the stream removes it first, which only one that brings changes may do. New entries get their
/// owner, mode and times when they are complete; until then they are root's and private.
/// </summary>
internal sealed class TreeReceiver(
    DirectoryCursor cursor, TreeRecordReader records, DirectoryCopierOptions options, long maxBytes, CancellationToken cancellationToken) : IDisposable
{
    private const uint PrivateFile = 0x180; // 0600
    private const uint PrivateDirectory = 0x1C0; // 0700
    private readonly LinkedFiles _links = new(cursor, options.MaxLinkedFiles);
    private readonly byte[] _target = new byte[TreeStreamFormat.MaxTargetLength + 1];
    private readonly byte[] _name = new byte[TreeStreamFormat.MaxNameLength];
    private int _nameLength;
    private Descriptor _entry = Descriptor.None;
    private bool _isPathOnly;
    private bool _isDirectory;
    private TreeAttributes _attributes;
    private long _attributeBytes;

    private ReadOnlySpan<byte> EntryNameBytes => _name.AsSpan(0, _nameLength);

    /// <summary>Unpacks all records; returns when the stream's end and digest were verified.</summary>
    /// <exception cref="InvalidDataException">The stream is malformed, lies, or asks for what the options do not allow.</exception>
    /// <exception cref="IOException">This host could not write; its <see cref="Exception.HResult"/> is errno.</exception>
    public CopyTotals Run()
    {
        ExtendedAttributes.RemoveInheritedAcls(cursor.Current);
        var kind = records.Next();
        if (records.IsChange)
        {
            // Those of the root come again. Overlay's own stay: the destination has made some of them.
            ExtendedAttributes.RemoveTravelling(cursor.Current, withOverlay: false);
        }

        for (; ; kind = records.Next())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (records.Totals.Entries > options.MaxEntries)
            {
                throw new InvalidDataException($"file stream: more than {options.MaxEntries} entries");
            }

            if (kind == TreeRecordKind.TreeEnd)
            {
                return records.Totals;
            }

            Apply(kind);
        }
    }

    public void Dispose()
    {
        CloseEntry();
    }

    private void Apply(TreeRecordKind kind)
    {
        switch (kind)
        {
            case TreeRecordKind.Directory:
                EnterDirectory();
                break;
            case TreeRecordKind.Enter:
                ExistingEntry.Enter(cursor, records.Name);
                break;
            case TreeRecordKind.Remove:
                ExistingEntry.Remove(cursor, records.Name, cancellationToken);
                break;
            case TreeRecordKind.Patch:
                KeepName();
                _attributes = records.Attributes;
                _isPathOnly = false;
                _entry = ExistingEntry.OpenFile(cursor, EntryNameBytes);
                break;
            case TreeRecordKind.Keep:
                break;
            case TreeRecordKind.DirectoryEnd:
                BeginDirectoryEnd();
                break;
            case TreeRecordKind.File:
                CreateFile();
                break;
            case TreeRecordKind.Data:
                WriteData();
                break;
            case TreeRecordKind.Hole when records.IsPatch:
                if (FileCalls.Allocate(_entry.Value, FileCalls.PunchHole, records.Position - records.HoleLength, records.HoleLength) != 0)
                {
                    throw Failed("make a hole in");
                }

                break;
            case TreeRecordKind.Hole:
                break;
            case TreeRecordKind.FileEnd:
                EndFile();
                break;
            case TreeRecordKind.Symlink:
                CreateSymlink();
                break;
            case TreeRecordKind.Node:
                CreateNode();
                break;
            case TreeRecordKind.Link or TreeRecordKind.LastLink:
                _links.MakeLink(records.LinkId, records.Name, kind == TreeRecordKind.LastLink);
                break;
            case TreeRecordKind.Attribute:
                SetExtendedAttribute();
                break;
            case TreeRecordKind.EntryEnd:
                EndEntry();
                break;
            default:
                throw new InvalidOperationException($"record {kind} is not handled");
        }
    }

    private unsafe void EnterDirectory()
    {
        var path = new TerminatedName(records.Name);
        if (FileCalls.MakeDirectory(cursor.Current, (byte*)&path, PrivateDirectory) != 0)
        {
            throw CannotCreate(records.Name);
        }

        var error = cursor.TryEnter(records.Name, out _);
        if (error != 0)
        {
            throw FileError.Make(error, "open", cursor.Describe(records.Name));
        }
    }

    private void BeginDirectoryEnd()
    {
        _nameLength = 0;
        _entry = new Descriptor(cursor.Current);
        _isDirectory = true;
        _isPathOnly = false;
        SetOwnerAndMode(records.Attributes);
    }

    private unsafe void CreateFile()
    {
        KeepName();
        _attributes = records.Attributes;
        var path = new TerminatedName(EntryNameBytes);
        _entry = new Descriptor(FileCalls.OpenAt(
            cursor.Current,
            (byte*)&path,
            FileCalls.WriteOnly | FileCalls.Create | FileCalls.Exclusive | FileCalls.NoFollow | FileCalls.CloseOnExec,
            PrivateFile));
        _isPathOnly = false;
        if (!_entry.IsOpen)
        {
            throw CannotCreate(EntryNameBytes);
        }

        _links.Add(records.LinkId, EntryNameBytes);
    }

    private unsafe void WriteData()
    {
        if (records.Totals.ContentBytes > maxBytes)
        {
            throw new InvalidDataException($"file stream: more content than the {maxBytes} bytes agreed on");
        }

        var position = records.Position;
        var rest = records.Value;
        while (rest.Length > 0)
        {
            nint count;
            fixed (byte* buffer = rest)
            {
                count = FileCalls.Write(_entry.Value, buffer, (nuint)rest.Length, position);
            }

            if (count < 0)
            {
                if (Marshal.GetLastPInvokeError() == ErrorCode.Interrupted)
                {
                    continue;
                }

                throw Failed("write");
            }

            position += count;
            rest = rest[(int)count..];
        }
    }

    private void EndFile()
    {
        // A hole is only made of whole blocks, but where a file ends; and it may have been longer.
        if (records is { EndsInHole: true, IsPatch: true } && FileCalls.Truncate(_entry.Value, records.Position - records.HoleLength) != 0)
        {
            throw Failed("set the size of");
        }

        if ((records.EndsInHole || records.IsPatch) && FileCalls.Truncate(_entry.Value, records.Position) != 0)
        {
            throw Failed("set the size of");
        }

        if (records.IsPatch)
        {
            ExtendedAttributes.RemoveTravelling(_entry.Value, withOverlay: true);
        }

        SetOwnerAndMode(_attributes);
    }

    private unsafe void CreateSymlink()
    {
        KeepName();
        _attributes = records.Attributes;
        records.Value.CopyTo(_target);
        _target[records.Value.Length] = 0;
        var path = new TerminatedName(EntryNameBytes);
        fixed (byte* target = _target)
        {
            if (FileCalls.MakeSymlink(target, cursor.Current, (byte*)&path) != 0)
            {
                throw CannotCreate(EntryNameBytes);
            }
        }

        OpenCreated();
    }

    private unsafe void CreateNode()
    {
        KeepName();
        _attributes = records.Attributes;
        var isWhiteout = OverlayLayer.IsWhiteout(_attributes, records.DeviceMajor, records.DeviceMinor);
        if (_attributes.Type is TreeAttributes.CharacterDevice or TreeAttributes.BlockDevice && !isWhiteout && !options.AllowDeviceNodes)
        {
            throw new InvalidDataException(
                $"{cursor.Describe(EntryNameBytes)}: device node {records.DeviceMajor}:{records.DeviceMinor} where none is allowed");
        }

        var path = new TerminatedName(EntryNameBytes);
        if (FileCalls.MakeNode(
                cursor.Current,
                (byte*)&path,
                _attributes.Type | PrivateFile,
                DeviceNumber(records.DeviceMajor, records.DeviceMinor)) != 0)
        {
            throw CannotCreate(EntryNameBytes);
        }

        OpenCreated();
    }

    /// <summary>A handle for what was made just now, and its owner and mode.</summary>
    private void OpenCreated()
    {
        _entry = Descriptor.OpenPath(cursor.Current, EntryNameBytes);
        _isPathOnly = true;
        if (!_entry.IsOpen)
        {
            throw Failed("open");
        }

        SetOwnerAndMode(_attributes);
        _links.Add(records.LinkId, EntryNameBytes);
    }

    /// <summary>Owner before mode, because chown(2) takes away setuid; both before the extended attributes, because it takes away capabilities too.</summary>
    private unsafe void SetOwnerAndMode(in TreeAttributes attributes)
    {
        _attributes = attributes;
        var path = _isPathOnly ? TerminatedName.OfDescriptor(_entry.Value) : default;
        var empty = (byte)0;
        var owner = _isPathOnly
            ? FileCalls.ChangeOwner(_entry.Value, &empty, attributes.UserId, attributes.GroupId, FileCalls.EmptyPath)
            : FileCalls.ChangeOwner(_entry.Value, attributes.UserId, attributes.GroupId);
        if (owner != 0)
        {
            throw Failed("set the owner of");
        }

        // A symlink has no mode of its own on Linux.
        if (attributes.Type == TreeAttributes.SymbolicLink)
        {
            return;
        }

        var mode = _isPathOnly
            ? FileCalls.ChangeMode(FileCalls.CurrentDirectory, (byte*)&path, attributes.Permissions, 0)
            : FileCalls.ChangeMode(_entry.Value, attributes.Permissions);
        if (mode != 0)
        {
            throw Failed("set the mode of");
        }
    }

    private void SetExtendedAttribute()
    {
        var name = records.Name;
        var value = records.Value;
        if (!ExtendedAttributePolicy.Travels(name)
            || (ExtendedAttributePolicy.IsTrusted(name) && !options.AllowTrustedAttributes)
            || ExtendedAttributePolicy.IsBadRedirect(name, value))
        {
            throw new InvalidDataException($"{cursor.Describe(EntryNameBytes)}: extended attribute {EntryName.Describe(name)} is not allowed");
        }

        _attributeBytes += name.Length + value.Length;
        if (_attributeBytes > options.MaxAttributeBytes)
        {
            throw new InvalidDataException($"file stream: more than {options.MaxAttributeBytes} bytes of extended attributes");
        }

        // The root existed before and may have attributes; all other entries are new, so one that is there was sent twice.
        var isRoot = cursor.Depth == 0 && _nameLength == 0;
        var error = ExtendedAttributes.TrySet(_entry.Value, _isPathOnly, name, value, mayReplace: isRoot);
        if (error == ErrorCode.Exists)
        {
            throw new InvalidDataException($"{cursor.Describe(EntryNameBytes)}: extended attribute {EntryName.Describe(name)} came twice");
        }

        if (error != 0)
        {
            throw FileError.Make(error, $"set extended attribute {EntryName.Describe(name)} of", cursor.Describe(EntryNameBytes));
        }
    }

    private unsafe void EndEntry()
    {
        var times = stackalloc TimeSpecification[] { new(_attributes.AccessTime), new(_attributes.ModificationTime) };
        var path = new TerminatedName(EntryNameBytes);
        var result = _isPathOnly
            ? FileCalls.ChangeTimes(cursor.Current, (byte*)&path, times, FileCalls.SymlinkNoFollow)
            : FileCalls.ChangeTimes(_entry.Value, times);
        if (result != 0)
        {
            throw Failed("set the times of");
        }

        var wasDirectory = _isDirectory;
        CloseEntry();
        if (wasDirectory && cursor.Depth > 0)
        {
            cursor.Leave();
        }
    }

    private void CloseEntry()
    {
        // A directory's descriptor is the cursor's.
        if (!_isDirectory)
        {
            _entry.Dispose();
        }

        _isDirectory = false;
        _entry = Descriptor.None;
    }

    private void KeepName()
    {
        records.Name.CopyTo(_name);
        _nameLength = records.Name.Length;
    }

    /// <summary>linux/kdev_t.h's numbers as glibc's makedev(3) packs them.</summary>
    private static ulong DeviceNumber(uint major, uint minor) => ((ulong)major << 8) | (minor & 0xFF) | ((ulong)(minor & ~0xFFu) << 12);

    private Exception CannotCreate(ReadOnlySpan<byte> name) =>
        Marshal.GetLastPInvokeError() == ErrorCode.Exists
            ? new InvalidDataException($"{cursor.Describe(name)}: it came twice, or was there before")
            : FileError.Last("create", cursor.Describe(name));

    private IOException Failed(string action) => FileError.Last(action, cursor.Describe(EntryNameBytes));
}
