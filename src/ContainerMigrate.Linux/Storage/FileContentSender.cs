using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Sends the content of regular files, straight from the page cache into the stream's blocks; holes stay holes.</summary>
internal sealed class FileContentSender(TreeRecordWriter records, IProgress<long>? progress, CancellationToken cancellationToken)
{
    /// <summary>Content sent so far, holes left out.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Sends data and holes up to the size in <paramref name="status"/>: a file that grows forever ends there, one that shrank ends earlier.</summary>
    /// <returns>The size sent.</returns>
    public long Send(Descriptor file, in FileStatus status, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        var extents = new FileExtents(file, status);
        var position = 0L;
        while (position < extents.Size)
        {
            extents.Find(position, out var start, out var end);
            if (start > position)
            {
                records.Hole(start - position);
                position = start;
            }

            if (!SendData(file, ref position, end, place, name))
            {
                break;
            }
        }

        return position;
    }

    /// <returns>False when the file ended before <paramref name="end"/>.</returns>
    private unsafe bool SendData(Descriptor file, ref long position, long end, DirectoryCursor place, ReadOnlySpan<byte> name)
    {
        while (position < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var room = records.BeginData(position, end - position);
            nint count;
            fixed (byte* buffer = room)
            {
                do
                {
                    count = FileCalls.Read(file.Value, buffer, (nuint)room.Length, position);
                }
                while (count < 0 && Marshal.GetLastPInvokeError() == ErrorCode.Interrupted);
            }

            if (count < 0)
            {
                throw FileError.Last("read", place.Describe(name));
            }

            if (count == 0)
            {
                return false;
            }

            records.EndData((int)count);
            position += count;
            TotalBytes += count;
            progress?.Report(TotalBytes);
        }

        return true;
    }
}
