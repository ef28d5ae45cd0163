using System.Collections.Concurrent;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Reads through <c>/proc/PID/mem</c>. Not by process_vm_readv(2): that pins the pages, for which the kernel gives each process that still shares a page with
/// its parent since fork a copy of its own (mm/gup.c, gup_must_unshare), so the container would grow by being looked at, at a
/// twentieth of the speed; it cannot read what is mapped PROT_NONE; and it goes by the process's number, which may have another program by now.
/// </summary>
internal sealed class ProcessMemoryReader : IProcessMemoryReader
{
    private const int SeekData = 3; // SEEK_DATA
    private const int SeekHole = 4; // SEEK_HOLE

    private readonly ConcurrentDictionary<int, SafeFileHandle> _processes = [];
    private readonly ConcurrentDictionary<SharedMemoryId, SafeFileHandle> _shared = [];

    /// <inheritdoc/>
    public int Read(int hostProcessId, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable) =>
        Read(_processes.GetValueOrDefault(hostProcessId), ranges, destination, unreadable);

    /// <inheritdoc/>
    public int Read(SharedMemoryId sharedMemory, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable) =>
        Read(_shared.GetValueOrDefault(sharedMemory), ranges, destination, unreadable);

    internal void Set(int hostProcessId, SafeFileHandle memory) => _processes[hostProcessId] = memory;

    internal void Set(SharedMemoryId sharedMemory, SafeFileHandle content) => _shared[sharedMemory] = content;

    internal void Remove(int hostProcessId) => _processes.TryRemove(hostProcessId, out _);

    internal void Remove(SharedMemoryId sharedMemory) => _shared.TryRemove(sharedMemory, out _);

    /// <summary>Where an object has data; holes are left out.</summary>
    internal static PageSet FindData(SafeFileHandle content)
    {
        var data = new PageSet();
        var position = Libc.Seek(content, 0, SeekData);
        while (position >= 0)
        {
            var end = Libc.Seek(content, position, SeekHole);
            if (end <= position)
            {
                break;
            }

            // The object may end in the middle of a page; the hole behind it begins there.
            data.Add(new AddressRange((ulong)position / MemoryPage.Bytes * MemoryPage.Bytes, ((ulong)end + MemoryPage.Bytes - 1) / MemoryPage.Bytes * MemoryPage.Bytes));
            position = Libc.Seek(content, end, SeekData);
        }

        return data;
    }

    private static int Read(SafeFileHandle? source, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable)
    {
        var position = 0;
        foreach (var range in ranges)
        {
            var part = destination.Slice(position, checked((int)range.Bytes));
            ReadRange(source, range.Start, part, unreadable);
            position += part.Length;
        }

        return position;
    }

    private static void ReadRange(SafeFileHandle? source, ulong address, Span<byte> destination, PageSet unreadable)
    {
        while (!destination.IsEmpty)
        {
            // The kernel stops at the first page that it cannot read; a shared object may also end in the middle of one.
            var count = source is null ? 0 : (int)Math.Max(0, ReadSome(source, address, destination));
            var pages = count > 0 ? count + (-count & (MemoryPage.Bytes - 1)) : source is null ? destination.Length : MemoryPage.Bytes;
            destination[count..pages].Clear();
            if (count == 0)
            {
                unreadable.Add(new AddressRange(address, address + (ulong)pages));
            }

            address += (ulong)pages;
            destination = destination[pages..];
        }
    }

    private static unsafe nint ReadSome(SafeFileHandle source, ulong address, Span<byte> destination)
    {
        fixed (byte* start = destination)
        {
            try
            {
                return Libc.ReadAt(source, start, (nuint)destination.Length, (long)address);
            }
            catch (ObjectDisposedException)
            {
                return 0; // a scan has seen the process end
            }
        }
    }
}
