using System.Buffers;
using System.Buffers.Binary;
using ContainerMigrate.Storage;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Carries a runtime's log. A piece is two little-endian 64-bit numbers, where it begins in the file and how long it is, and its
/// bytes; a piece that begins at 0 replaces the file.
/// </summary>
public sealed class LogCopier : ILogCopier
{
    private const int HeaderBytes = 2 * sizeof(long);
    private const int BufferBytes = 256 << 10;
    private const UnixFileMode LogMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead; // as dockerd makes it

    /// <inheritdoc/>
    public async Task<LogPosition> SendAsync(string file, LogPosition from, Stream destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var log = File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var id = IdOf(log, file);
        var length = RandomAccess.GetLength(log);
        var start = id == from.FileId && length >= from.Offset ? from.Offset : 0;
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            BinaryPrimitives.WriteInt64LittleEndian(buffer, start);
            BinaryPrimitives.WriteInt64LittleEndian(buffer.AsSpan(sizeof(long)), length - start);
            await destination.WriteAsync(buffer.AsMemory(0, HeaderBytes), cancellationToken);
            for (var position = start; position < length;)
            {
                var wanted = (int)Math.Min(buffer.Length, length - position);
                var read = await RandomAccess.ReadAsync(log, buffer.AsMemory(0, wanted), position, cancellationToken);
                if (read == 0)
                {
                    throw new InvalidDataException($"{file} became shorter while it was read");
                }

                await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                position += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return new LogPosition(id, length);
    }

    /// <inheritdoc/>
    public async Task<long> ReceiveAsync(string file, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            await source.ReadExactlyAsync(buffer.AsMemory(0, HeaderBytes), cancellationToken);
            var start = BinaryPrimitives.ReadInt64LittleEndian(buffer);
            var length = BinaryPrimitives.ReadInt64LittleEndian(buffer.AsSpan(sizeof(long)));
            using var log = Open(file);
            if (start < 0 || length < 0 || length > maxBytes - Math.Min(start, maxBytes) || (start != 0 && start != RandomAccess.GetLength(log)))
            {
                throw new InvalidDataException($"a piece of {length} bytes of the log cannot follow at {start}");
            }

            RandomAccess.SetLength(log, start);
            for (var position = start; position < start + length;)
            {
                var read = await source.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, start + length - position)), cancellationToken);
                if (read == 0)
                {
                    throw new InvalidDataException("the log ends early");
                }

                await RandomAccess.WriteAsync(log, buffer.AsMemory(0, read), position, cancellationToken);
                position += read;
            }

            return length;
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("the log ends early", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static SafeFileHandle Open(string file)
    {
        var log = File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read);
        File.SetUnixFileMode(log, LogMode);
        return log;
    }

    private static ulong IdOf(SafeFileHandle log, string file) => new Descriptor((int)log.DangerousGetHandle()).GetStatus(file).Inode;
}
