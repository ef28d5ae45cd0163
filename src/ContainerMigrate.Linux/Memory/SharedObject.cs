using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>A shared object under tracking; holds it open.</summary>
internal sealed class SharedObject(SafeFileHandle content) : IDisposable
{
    private List<(int ProcessId, AddressRange Range, ulong Offset)> _previous = [];
    private List<(int ProcessId, AddressRange Range, ulong Offset)> _current = [];
    private PageSet _found = new();
    private bool _isComplete = true;

    internal SafeFileHandle Content => content;

    internal bool IsMapped => _current.Count > 0;

    internal void BeginScan() => _current.Clear();

    /// <summary>What one process has written there, through one mapping.</summary>
    internal void Add(int processId, ISharedMappings space, Mapping mapping)
    {
        _current.Add((processId, mapping.Range, mapping.Offset));
        var written = new PageSet();

        // Whoever writes to a memfd by write(2), or attaches a segment for a moment, is not seen in any page table.
        _isComplete |= !space.FindWrittenShared(mapping, written) || mapping.HasName;
        foreach (var range in written.Ranges)
        {
            _found.Add(new AddressRange(range.Start - mapping.Range.Start + mapping.Offset, range.End - mapping.Range.Start + mapping.Offset));
        }
    }

    internal SharedMemory Report(SharedMemoryId id, bool hasUnseenProcesses)
    {
        var isComplete = _isComplete || hasUnseenProcesses || !_current.SequenceEqual(_previous);
        var data = ProcessMemoryReader.FindData(content);
        var report = new SharedMemory
        {
            Id = id,
            Written = isComplete ? data : data.Intersect(_found),
            IsComplete = isComplete,
            Length = RandomAccess.GetLength(content),
        };
        _found = new PageSet();
        _isComplete = false;
        (_previous, _current) = (_current, _previous);
        return report;
    }

    public void Dispose() => content.Dispose();
}
