using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>One process's pages in a sealed store, for the server. Shared by the process and what it has forked since.</summary>
internal sealed class StoredImage : IDisposable
{
    private readonly SafeFileHandle? _file;
    private readonly ArrivedPages? _arrived;
    private readonly PageBits[] _absent = [];

    /// <exception cref="InvalidDataException">The store knows nothing of this process, or is damaged.</exception>
    internal StoredImage(string directory, int processId)
    {
        Index = SealedIndex.ReadFrom(StoreFiles.Index(directory, processId));
        _file = Index.Slabs.Count > 0 ? File.OpenHandle(StoreFiles.Pages(directory, processId), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite) : null;
        ProcessId = processId;
        if (Index.MissingPages > 0)
        {
            _arrived = ArrivedPages.Open(directory, processId, Index);
            _absent = [.. Index.Slabs.Select(slab => slab.Missing)];
        }
    }

    internal int ProcessId { get; }

    internal SealedIndex Index { get; }

    /// <summary>A process was forked, which may need pages that its parent has loaded: none of them may go.</summary>
    internal bool IsShared { get; set; }

    /// <summary>Pages of a slab that the source alone has, as it is now.</summary>
    /// <param name="slab">Its index.</param>
    internal PageBits Absent(int slab) =>
        _arrived is null || _absent[slab].IsEmpty ? default : _absent[slab] = _absent[slab].Without(_arrived.Read(slab));

    internal void Read(PageSlab slab, int first, Span<byte> pages)
    {
        if (RandomAccess.Read(_file!, pages, slab.OffsetOf(first)) != pages.Length)
        {
            throw new InvalidDataException("the store's file is shorter than its index says");
        }
    }

    /// <summary>Gives the memory of a slab back whose pages have all been loaded.</summary>
    internal void Free(PageSlab slab)
    {
        if (!IsShared)
        {
            FileHoles.Punch(_file!, slab.OffsetOf(0), PageSlab.Bytes);
        }
    }

    public void Dispose()
    {
        _file?.Dispose();
        _arrived?.Dispose();
    }
}
