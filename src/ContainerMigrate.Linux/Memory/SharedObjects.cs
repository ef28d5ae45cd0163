using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory;

/// <summary>All shared objects of a container, over its scans.</summary>
internal sealed class SharedObjects(ProcessMemoryReader reader) : IDisposable
{
    private readonly SortedDictionary<ulong, SharedObject> _objects = [];

    internal bool Any => _objects.Count > 0;

    internal void BeginScan()
    {
        foreach (var shared in _objects.Values)
        {
            shared.BeginScan();
        }
    }

    /// <summary>After the process's own scan; processes come in the same order every time.</summary>
    internal void Add(int processId, ISharedMappings space)
    {
        foreach (var mapping in space.Mappings)
        {
            if (mapping.Kind == MappingKind.Shared && Find(processId, mapping) is { } shared)
            {
                shared.Add(processId, space, mapping);
            }
        }
    }

    internal List<SharedMemory> Report(bool hasUnseenProcesses)
    {
        var reports = new List<SharedMemory>();
        foreach (var (inode, shared) in _objects.ToArray())
        {
            if (shared.IsMapped)
            {
                reports.Add(shared.Report(new SharedMemoryId(inode), hasUnseenProcesses));
                continue;
            }

            reader.Remove(new SharedMemoryId(inode));
            _objects.Remove(inode);
            shared.Dispose();
        }

        return reports;
    }

    public void Dispose()
    {
        foreach (var shared in _objects.Values)
        {
            shared.Dispose();
        }
    }

    private SharedObject? Find(int processId, Mapping mapping)
    {
        if (_objects.TryGetValue(mapping.Inode, out var known))
        {
            return known;
        }

        try
        {
            // Held open, the object keeps its inode's number from being used again.
            var path = $"/proc/{processId}/map_files/{mapping.Range}";
            var shared = new SharedObject(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            reader.Set(new SharedMemoryId(mapping.Inode), shared.Content);
            return _objects[mapping.Inode] = shared;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null; // unmapped meanwhile: the next scan goes by what there is then
        }
    }
}
