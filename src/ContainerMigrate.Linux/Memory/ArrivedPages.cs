using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Which of a process's pages that were with the source alone are in the store by now: 512 bits for each slab of the sealed index, in its
/// order. The daemon sets a bit once the page is written, and the server of the restore looks; both may be started anew at any time.
/// Not synced, like the index: it has to outlive processes, not the kernel.
/// </summary>
internal sealed class ArrivedPages : IDisposable
{
    private readonly SafeFileHandle _file;

    private ArrivedPages(SafeFileHandle file) => _file = file;

    /// <summary>Nothing has arrived yet.</summary>
    internal static void Create(string store, int processId, SealedIndex index)
    {
        using var file = File.OpenHandle(StoreFiles.Arrived(store, processId), FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, (long)index.Slabs.Count * PageBits.Bytes);
    }

    /// <exception cref="InvalidDataException">It does not belong to the index.</exception>
    internal static ArrivedPages Open(string store, int processId, SealedIndex index)
    {
        var file = File.OpenHandle(StoreFiles.Arrived(store, processId), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        if (RandomAccess.GetLength(file) == (long)index.Slabs.Count * PageBits.Bytes)
        {
            return new ArrivedPages(file);
        }

        file.Dispose();
        throw new InvalidDataException($"{StoreFiles.Arrived(store, processId)} is damaged");
    }

    // Bits are only ever set, by one writer: a read that sees half of a write sees less, and nothing wrong.
    internal PageBits Read(int slab)
    {
        Span<byte> bytes = stackalloc byte[PageBits.Bytes];
        bytes.Clear();
        RandomAccess.Read(_file, bytes, (long)slab * PageBits.Bytes);
        return PageBits.Read(bytes);
    }

    internal void Write(int slab, in PageBits bits)
    {
        Span<byte> bytes = stackalloc byte[PageBits.Bytes];
        bits.Write(bytes);
        RandomAccess.Write(_file, bytes, (long)slab * PageBits.Bytes);
    }

    public void Dispose() => _file.Dispose();
}
