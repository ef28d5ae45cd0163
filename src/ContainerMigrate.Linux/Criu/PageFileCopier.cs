using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using ContainerMigrate.Storage;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// The stream is a row of pieces <c>u32 N, u32 length, length bytes of pages-N.img</c>, appended in order, and ends with
/// <c>u32 0xFFFFFFFF, u32 0, u64 bytes of all pieces</c>. All numbers are little endian.
/// </summary>
public sealed class PageFileCopier : IPageFileCopier
{
    private const int PieceHeaderBytes = 2 * sizeof(uint);
    private const int MaxPieceBytes = 1 << 20;
    private const int MaxFiles = 65536; // a page file for each process and shared memory segment
    private const uint End = uint.MaxValue;
    private const string Prefix = "pages-";
    private const string Suffix = ".img";
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(2);

    /// <inheritdoc/>
    public async Task SendAsync(string directory, Task written, Stream destination, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(written);
        ArgumentNullException.ThrowIfNull(destination);
        var files = new Dictionary<uint, OpenFile>();
        var buffer = ArrayPool<byte>.Shared.Rent(PieceHeaderBytes + MaxPieceBytes);
        try
        {
            var total = 0L;
            bool complete;
            do
            {
                // Read before the files are: what CRIU wrote before it ended is seen by this round.
                complete = written.IsCompleted;
                var sent = await SendRoundAsync(directory, files, destination, buffer, cancellationToken);
                total += sent;
                progress?.Report(total);
                if (sent == 0 && !complete)
                {
                    await Task.WhenAny(written, Task.Delay(PollInterval, cancellationToken));
                    cancellationToken.ThrowIfCancellationRequested();
                }
            }
            while (!complete);

            await written; // throws for a dump that failed: no end is written
            BinaryPrimitives.WriteUInt32LittleEndian(buffer, End);
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(sizeof(uint)), 0);
            BinaryPrimitives.WriteInt64LittleEndian(buffer.AsSpan(PieceHeaderBytes), total);
            await destination.WriteAsync(buffer.AsMemory(0, PieceHeaderBytes + sizeof(long)), cancellationToken);
            await destination.FlushAsync(cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            foreach (var file in files.Values)
            {
                file.Handle.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public async Task<long> ReceiveAsync(string directory, Stream source, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        var files = new Dictionary<uint, OpenFile>();
        var buffer = ArrayPool<byte>.Shared.Rent(MaxPieceBytes);
        try
        {
            var total = 0L;
            while (true)
            {
                await source.ReadExactlyAsync(buffer.AsMemory(0, PieceHeaderBytes), cancellationToken);
                var number = BinaryPrimitives.ReadUInt32LittleEndian(buffer);
                var length = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(sizeof(uint)));
                if (number == End)
                {
                    await source.ReadExactlyAsync(buffer.AsMemory(0, sizeof(long)), cancellationToken);
                    return BinaryPrimitives.ReadInt64LittleEndian(buffer) == total ? total : throw new InvalidDataException("page files: the total does not match what arrived");
                }

                total += length;
                if (length is 0 or > MaxPieceBytes || total > maxBytes || files.Count == MaxFiles)
                {
                    throw new InvalidDataException($"page files: a piece of {length} bytes after {total - length} is more than was announced");
                }

                await source.ReadExactlyAsync(buffer.AsMemory(0, (int)length), cancellationToken);
                if (!files.TryGetValue(number, out var file))
                {
                    files[number] = file = new OpenFile(File.OpenHandle(PathOf(directory, number), FileMode.CreateNew, FileAccess.Write));
                }

                RandomAccess.Write(file.Handle, buffer.AsSpan(0, (int)length), file.Length);
                file.Length += length;
            }
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("page files: the stream ends early", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            foreach (var file in files.Values)
            {
                file.Handle.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public void SetAside(string directory, string aside)
    {
        Directory.CreateDirectory(aside);
        foreach (var file in Directory.EnumerateFiles(directory, Prefix + "*"))
        {
            if (NumberOf(file) is not null)
            {
                File.Move(file, Path.Combine(aside, Path.GetFileName(file)));
            }
        }
    }

    private static async Task<long> SendRoundAsync(string directory, Dictionary<uint, OpenFile> files, Stream destination, byte[] buffer, CancellationToken cancellationToken)
    {
        foreach (var path in Directory.EnumerateFiles(directory, Prefix + "*"))
        {
            if (NumberOf(path) is { } found && !files.ContainsKey(found))
            {
                files[found] = new OpenFile(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            }
        }

        var sent = 0L;
        foreach (var (number, file) in files)
        {
            int read;
            while ((read = RandomAccess.Read(file.Handle, buffer.AsSpan(PieceHeaderBytes, MaxPieceBytes), file.Length)) > 0)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(buffer, number);
                BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(sizeof(uint)), (uint)read);
                await destination.WriteAsync(buffer.AsMemory(0, PieceHeaderBytes + read), cancellationToken);
                file.Length += read;
                sent += read;
            }
        }

        return sent;
    }

    private static string PathOf(string directory, uint number) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}{Suffix}"));

    private static uint? NumberOf(string path)
    {
        var name = Path.GetFileName(path);
        return name.EndsWith(Suffix, StringComparison.Ordinal)
               && uint.TryParse(name.AsSpan(Prefix.Length, name.Length - Prefix.Length - Suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
               && number != End
            ? number
            : null;
    }

    private sealed class OpenFile(SafeFileHandle handle)
    {
        public SafeFileHandle Handle { get; } = handle;

        public long Length { get; set; }
    }
}
