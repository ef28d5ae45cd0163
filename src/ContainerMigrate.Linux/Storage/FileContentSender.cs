using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Sends the content of regular files, straight from the page cache into the stream's blocks; holes stay holes.</summary>
internal sealed class FileContentSender(TreeRecordWriter records, IProgress<long>? progress, CancellationToken cancellationToken)
{
    private readonly BlockWindow _window = new();
    private byte[]? _block;

    /// <summary>Content sent so far, holes left out.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Sends data and holes up to the size in <paramref name="status"/>: a file that grows forever ends there, one that shrank ends earlier.</summary>
    /// <param name="blocks">Takes the digests of what is sent; null for none.</param>
    /// <returns>The size sent.</returns>
    public long Send(Descriptor file, in FileStatus status, BlockDigests? blocks, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        var extents = new FileExtents(file, status);
        var position = 0L;
        blocks?.Begin();
        while (position < extents.Size)
        {
            extents.Find(position, out var start, out var end);
            if (start > position)
            {
                records.Hole(start - position);
                blocks?.AppendHole(start - position);
                position = start;
            }

            if (!SendData(file, ref position, end, blocks, place, name))
            {
                break;
            }
        }

        blocks?.End();
        return position;
    }

    /// <summary>Sends the blocks that are not what <paramref name="blocks"/> knows, and makes it know them.</summary>
    /// <returns>The file's size.</returns>
    public long SendChanges(Descriptor file, in FileStatus status, BlockDigests blocks, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        _block ??= GC.AllocateUninitializedArray<byte>(BlockDigests.BlockLength);
        var extents = new FileExtents(file, status);
        var (position, kept, hole) = (0L, 0L, 0L);
        var (start, end) = (0L, 0L); // of the piece of data at or behind the position
        _window.Reset();
        while (position < extents.Size)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (position >= end)
            {
                extents.Find(position, out start, out end);
            }

            if (start <= position && _window.IsSame(file, blocks, position, end))
            {
                WriteHole(ref hole);
                kept += BlockDigests.BlockLength;
                position += BlockDigests.BlockLength;
                continue;
            }

            var wanted = (int)Math.Min(BlockDigests.BlockLength, extents.Size - position);
            var isHole = start >= position + wanted;
            var length = isHole ? wanted : ReadBlock(file, position, wanted, place, name);
            if (length == 0)
            {
                break;
            }

            var digest = isHole ? UInt128.Zero : blocks.Hash.Of(_block.AsSpan(0, length));
            if (blocks.Matches(position, digest))
            {
                WriteHole(ref hole);
                kept += length;
            }
            else
            {
                WriteKept(ref kept);
                if (isHole)
                {
                    hole += length;
                }
                else if (SendBlock(ref extents, position, length, ref hole))
                {
                    digest = blocks.Hash.Of(_block.AsSpan(0, length));
                }

                blocks.Set(position, digest);
            }

            position += length;
            if (length < wanted)
            {
                break; // it was cut meanwhile
            }
        }

        WriteKept(ref kept);
        WriteHole(ref hole);
        blocks.Cut(position);
        return position;
    }

    /// <summary>Sends one block as it was read, but for the holes in it, which become zeros there: data may just have been written into them.</summary>
    /// <returns>True when there are holes in it.</returns>
    private bool SendBlock(ref FileExtents extents, long position, int length, ref long hole)
    {
        var hasHoles = false;
        var limit = position + length;
        for (var at = position; at < limit;)
        {
            extents.Find(at, out var start, out var end);
            (start, end) = (Math.Min(start, limit), Math.Min(end, limit));
            if (start > at)
            {
                _block.AsSpan((int)(at - position), (int)(start - at)).Clear();
                hole += start - at;
                hasHoles = true;
            }

            if (start < end)
            {
                WriteHole(ref hole);
                WriteData(start, _block.AsSpan((int)(start - position), (int)(end - start)));
            }

            at = Math.Max(start, end);
        }

        return hasHoles;
    }

    private void WriteData(long position, ReadOnlySpan<byte> data)
    {
        TotalBytes += data.Length;
        while (data.Length > 0)
        {
            var room = records.BeginData(position, data.Length);
            data[..room.Length].CopyTo(room);
            records.EndData(room.Length);
            position += room.Length;
            data = data[room.Length..];
        }

        progress?.Report(TotalBytes);
    }

    private void WriteHole(ref long length)
    {
        if (length > 0)
        {
            records.Hole(length);
            length = 0;
        }
    }

    private void WriteKept(ref long length)
    {
        if (length > 0)
        {
            records.Keep(length);
            length = 0;
        }
    }

    private unsafe int ReadBlock(Descriptor file, long position, int wanted, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        var length = 0;
        fixed (byte* buffer = _block)
        {
            while (length < wanted)
            {
                var count = ReadSome(file, buffer + length, wanted - length, position + length, place, name);
                if (count == 0)
                {
                    break;
                }

                length += count;
            }
        }

        return length;
    }

    /// <returns>False when the file ended before <paramref name="end"/>.</returns>
    private unsafe bool SendData(Descriptor file, ref long position, long end, BlockDigests? blocks, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        while (position < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var room = records.BeginData(position, end - position);
            int count;
            fixed (byte* buffer = room)
            {
                count = ReadSome(file, buffer, room.Length, position, place, name);
            }

            if (count == 0)
            {
                return false;
            }

            blocks?.Append(room[..count]);
            records.EndData(count);
            position += count;
            TotalBytes += count;
            progress?.Report(TotalBytes);
        }

        return true;
    }

    private static unsafe int ReadSome(Descriptor file, byte* buffer, int length, long position, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        while (true)
        {
            var count = FileCalls.Read(file.Value, buffer, (nuint)length, position);
            if (count >= 0)
            {
                return (int)count;
            }

            if (Marshal.GetLastPInvokeError() != ErrorCode.Interrupted)
            {
                throw FileError.Last("read", place.Describe(name));
            }
        }
    }
}
