using System.Collections.Concurrent;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>Reads, and has it looked after whether what was read are the pages that the last scan found (<see cref="SoftDirtySpace.Verify"/>).</summary>
internal sealed class VerifyingReader(ProcessMemoryReader reader) : IProcessMemoryReader
{
    private readonly ConcurrentDictionary<int, SoftDirtySpace> _spaces = [];

    /// <inheritdoc/>
    public int Read(int hostProcessId, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable)
    {
        var bytes = reader.Read(hostProcessId, ranges, destination, unreadable);
        if (_spaces.TryGetValue(hostProcessId, out var space))
        {
            space.Verify(ranges);
        }

        return bytes;
    }

    /// <inheritdoc/>
    public int Read(SharedMemoryId sharedMemory, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable) =>
        reader.Read(sharedMemory, ranges, destination, unreadable);

    internal void Set(int hostProcessId, SoftDirtySpace space)
    {
        reader.Set(hostProcessId, space.Memory);
        _spaces[hostProcessId] = space;
    }

    internal void Remove(int hostProcessId)
    {
        reader.Remove(hostProcessId);
        _spaces.TryRemove(hostProcessId, out _);
    }
}
