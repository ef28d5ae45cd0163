using ContainerMigrate.Images;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// The memory of a container that is on its way, on the destination: each page once, whatever the number of rounds. After the
/// switchover's metadata-only dump it is either sealed, for a lazy restore, or completed into ordinary images.
/// </summary>
public sealed class PageStore : IPageSink, IDisposable
{
    private const int MaxProcesses = 65536;

    private readonly Dictionary<int, StoredProcess> _processes = [];
    private readonly Lock _lock = new();
    private readonly long _maxPages;
    private long _knownPages;

    /// <param name="directory">Made if need be, mode 0700. Holds files of a container's memory: below the migration's own directory.</param>
    /// <param name="expectedBytes">What the source has announced: there has to be room for it.</param>
    /// <param name="maxBytes">Memory beyond this is refused; more than announced, since a container may grow on its way.</param>
    /// <exception cref="IOException">There is not as much space, or the directory holds a store already.</exception>
    public PageStore(string directory, long expectedBytes, long maxBytes)
    {
        Path = directory;
        _maxPages = maxBytes >> MemoryPage.Shift;
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (DiskSpace.Of(directory) is var space && space.AvailableBytes < expectedBytes)
        {
            const int NoSpace = 28; // ENOSPC, as a write that finds none
            throw new IOException($"{directory} has room for {space.AvailableBytes >> 20} MiB, and the container's memory is {expectedBytes >> 20} MiB", NoSpace);
        }
    }

    /// <summary>The directory.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">More than was announced.</exception>
    public void Write(int processId, ulong address, ReadOnlySpan<byte> pages)
    {
        lock (_lock)
        {
            var process = Expect(processId, (ulong)(pages.Length >> MemoryPage.Shift), out var before);
            process.Write(address, pages);
            Count(process, before);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">More than was announced.</exception>
    public void WriteZero(int processId, PageRange range)
    {
        lock (_lock)
        {
            var process = Expect(processId, range.PageCount, out var before);
            process.WriteZero(range);
            Count(process, before);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">More than was announced.</exception>
    public void Miss(int processId, PageRange range)
    {
        lock (_lock)
        {
            var process = Expect(processId, range.PageCount, out var before);
            process.Miss(range);
            Count(process, before);
        }
    }

    /// <inheritdoc/>
    public void Drop(int processId, PageRange range)
    {
        lock (_lock)
        {
            if (_processes.TryGetValue(processId, out var process))
            {
                var before = Known(process);
                process.Drop(range);
                Count(process, before);
            }
        }
    }

    /// <summary>
    /// Fixes what a lazy restore of these images has to bring: the pages that they leave out. Pages that were sent and went away
    /// before the dump are not among them, and must not come back.
    /// </summary>
    /// <param name="imagesDirectory">CRIU's images of the metadata-only dump; not changed.</param>
    /// <exception cref="InvalidDataException">The images leave out a page that was never sent.</exception>
    public Task<StoreTotals> SealAsync(string imagesDirectory, CancellationToken cancellationToken) =>
        Task.Run(() => Seal(imagesDirectory, cancellationToken), cancellationToken);

    /// <summary>Puts the pages that the images leave out into them, so that an ordinary restore works. For small containers: it takes the memory's size once more.</summary>
    /// <param name="imagesDirectory">CRIU's images of the metadata-only dump; page files and pagemaps of processes are replaced.</param>
    /// <exception cref="InvalidDataException">The images leave out a page that was never sent.</exception>
    public Task CompleteAsync(string imagesDirectory, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                foreach (var (processId, image) in Processes(imagesDirectory))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ImageCompletion.Complete(imagesDirectory, processId, image, _processes.GetValueOrDefault(processId));
                }
            },
            cancellationToken);

    /// <summary>Removes a store with everything in it; whether or not it was sealed.</summary>
    public static void Delete(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Closes the files, which stay.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var process in _processes.Values)
            {
                process.Dispose();
            }

            _processes.Clear();
        }
    }

    private StoreTotals Seal(string imagesDirectory, CancellationToken cancellationToken)
    {
        var totals = new StoreTotals(0, 0, 0, 0);
        foreach (var (processId, image) in Processes(imagesDirectory))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var sealedIndex = SealedIndex.Build(processId, image, _processes.GetValueOrDefault(processId)?.Index);
            sealedIndex.WriteTo(StoreFiles.Index(Path, processId));
            if (sealedIndex.MissingPages > 0)
            {
                ArrivedPages.Create(Path, processId, sealedIndex);
            }

            totals = new StoreTotals(
                totals.Processes + (sealedIndex.DataPages > 0 ? 1 : 0), totals.DataPages + sealedIndex.DataPages, totals.ZeroPages + sealedIndex.ZeroPages, totals.MissingPages + sealedIndex.MissingPages);
        }

        return totals;
    }

    private static IEnumerable<(int ProcessId, PagemapImage Image)> Processes(string imagesDirectory) =>
        from file in PagemapInventory.Read(imagesDirectory)
        where !file.IsSharedMemory && file.Id is > 0 and <= int.MaxValue
        select ((int)file.Id, PagemapReader.ReadFile(file.Path));

    private StoredProcess Expect(int processId, ulong pages, out long before)
    {
        if (!_processes.TryGetValue(processId, out var process))
        {
            if (_processes.Count == MaxProcesses)
            {
                throw new InvalidDataException($"pages of more than {MaxProcesses} processes");
            }

            _processes[processId] = process = new StoredProcess(StoreFiles.Pages(Path, processId));
        }

        // A single run may not be larger than everything; what is new in it is counted once it is kept.
        before = Known(process);
        return pages <= (ulong)_maxPages ? process : throw TooMuch();
    }

    private void Count(StoredProcess process, long before)
    {
        _knownPages += Known(process) - before;
        if (_knownPages > _maxPages)
        {
            throw TooMuch();
        }
    }

    private InvalidDataException TooMuch() => new($"more memory than the {_maxPages >> (20 - MemoryPage.Shift)} MiB that were announced");

    private static long Known(StoredProcess process) => process.Index.DataPages + process.Index.ZeroPages + process.Index.MissingPages;
}
