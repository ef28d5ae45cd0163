using System.Buffers;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>
/// One program's memory, tracked by the soft-dirty bits of its page tables. Its files of /proc stay with this address space, but for <c>clear_refs</c>, which
/// goes to whatever memory the process has when it is written to.
/// </summary>
internal sealed class SoftDirtySpace : ISharedMappings, IDisposable
{
    private const int MaxThreads = 4;

    private static readonly byte[] ClearSoftDirty = "4"u8.ToArray(); // CLEAR_REFS_SOFT_DIRTY in fs/proc/task_mmu.c

    private readonly SafeFileHandle _maps;
    private readonly SafeFileHandle _pagemap;
    private readonly SafeFileHandle _clear;
    private readonly List<Mapping> _mappings = [];
    private readonly Lock _lock = new();

    // As they were when the bits were cleared last.
    private PageIdentities _known = new();
    private List<Stretch> _populated = [];
    private PageSet _found = new();
    private PageSet _doubtful = new();

    private SoftDirtySpace(SafeFileHandle[] files, string layout)
    {
        (_maps, _pagemap, Memory, _clear) = (files[0], files[1], files[2], files[3]);
        Layout = layout;
    }

    /// <summary><c>/proc/PID/mem</c>.</summary>
    internal SafeFileHandle Memory { get; }

    /// <inheritdoc cref="AddressSpace.Layout"/>
    internal string Layout { get; }

    /// <inheritdoc/>
    public IReadOnlyList<Mapping> Mappings => _mappings;

    /// <summary>Whether the bits were ever cleared: only then do they say anything.</summary>
    internal bool HasBegun { get; private set; }

    /// <summary>Null when the process has no memory: it has ended, or its first thread has.</summary>
    internal static SoftDirtySpace? Open(int processId)
    {
        var files = new SafeFileHandle?[4];
        try
        {
            var layout = ProcessLayout.Read(processId);
            string[] names = ["maps", "pagemap", "mem", "clear_refs"];
            for (var i = 0; i < names.Length; i++)
            {
                files[i] = File.OpenHandle($"/proc/{processId}/{names[i]}", FileMode.Open, i == 3 ? FileAccess.Write : FileAccess.Read, FileShare.ReadWrite);
            }

            var space = new SoftDirtySpace(files!, layout);
            MappingReader.Read(space._maps, space._mappings);
            if (space._mappings.Count > 0 && layout == ProcessLayout.Read(processId))
            {
                return space;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Ended meanwhile.
        }

        Array.ForEach(files, file => file?.Dispose());
        return null;
    }

    /// <summary>
    /// The first look, running or not: clears the bits before it, and takes all that there is for written. So whatever is written from then on is in it or has its bit.
    /// </summary>
    /// <returns>False when the address space is gone.</returns>
    internal bool Begin() => Try(() =>
    {
        Clear();
        HasBegun = true;
        LookAtAll(1);
    });

    /// <summary>
    /// Finds what was written so far, while the program runs, and where there is anything at all. The bits stay, so that it has to be followed by <see cref="Settle"/> before
    /// anything new is learned.
    /// </summary>
    /// <returns>False when the address space is gone.</returns>
    internal bool Look() => Try(() =>
    {
        MappingReader.Read(_maps, _mappings);
        _populated = [];
        Scan(Stretch.Of(_mappings), null, _populated, 1);
    });

    /// <summary>
    /// While the program stands still, after <see cref="Look"/>: finds what was written since then, and clears the bits. Not looked at are places where there was nothing
    /// then: what has come there since is not known, so that the next look reports it.
    /// </summary>
    /// <returns>False when the address space is gone.</returns>
    internal bool Settle() => Try(() =>
    {
        var now = new PageIdentities();
        Scan(_populated, now, null, MaxThreads);
        Clear();
        _known = now;
    });

    /// <summary>Both in one, of a program that stands still.</summary>
    /// <param name="clear">False: what is found will be found again.</param>
    /// <returns>False when the address space is gone.</returns>
    internal bool LookAndSettle(bool clear) => Try(() =>
    {
        LookAtAll(MaxThreads);
        if (clear)
        {
            Clear();
        }
    });

    /// <summary>
    /// To be called after pages were read: those that are not the ones that were found in their place are reported by the next scan. Without it a page that was
    /// moved away, and back after the read, would pass for the one that was read in its place.
    /// </summary>
    internal void Verify(ReadOnlySpan<AddressRange> ranges)
    {
        const int MaxPages = 4 * Pagemap.TablePages;
        Span<ulong> entries = stackalloc ulong[MaxPages];
        foreach (var range in ranges)
        {
            for (var start = range.Start; start < range.End; start += MaxPages * MemoryPage.Bytes)
            {
                var part = entries[..(int)Math.Min(MaxPages, (range.End - start) / MemoryPage.Bytes)];
                try
                {
                    Pagemap.Read(_pagemap, start, part);
                }
                catch (IOException)
                {
                    return; // with the address space goes what was read of it
                }

                lock (_lock)
                {
                    _known.FindOthers(start, part, Pagemap.ZeroFrame ?? 0, _doubtful);
                }
            }
        }
    }

    /// <summary>Hands over what was found, that of private file mappings apart.</summary>
    internal (PageSet Anonymous, PageSet OfFiles) TakeFound()
    {
        var anonymous = _found;
        _found = new PageSet();
        lock (_lock)
        {
            anonymous.UnionWith(_doubtful);
            _doubtful = new PageSet();
        }

        var files = new PageSet();
        foreach (var mapping in _mappings)
        {
            if (mapping.Kind == MappingKind.PrivateFile)
            {
                files.Add(mapping.Range);
            }
        }

        var ofFiles = anonymous.Intersect(files);
        anonymous.ExceptWith(ofFiles);
        return (anonymous, ofFiles);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Never known: a written page of a shared object that is taken out of this process's page table (when memory is short, or by MADV_DONTNEED) takes its bit along.
    /// </remarks>
    public bool FindWrittenShared(Mapping mapping, PageSet written) => false;

    public void Dispose()
    {
        _maps.Dispose();
        _pagemap.Dispose();
        _clear.Dispose();
        Memory.Dispose();
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (IOException)
        {
            return false; // gone
        }
    }

    private void Clear() => RandomAccess.Write(_clear, ClearSoftDirty, 0);

    private void LookAtAll(int threads)
    {
        MappingReader.Read(_maps, _mappings);
        if (_mappings.Count == 0)
        {
            throw new IOException("the address space is gone");
        }

        var now = new PageIdentities();
        Scan(Stretch.Of(_mappings), now, null, threads);
        _known = now;
    }

    private void Scan(List<Stretch> stretches, PageIdentities? now, List<Stretch>? populated, int threads)
    {
        if (_mappings.Count == 0)
        {
            throw new IOException("the address space is gone");
        }

        threads = Math.Min(threads, Environment.ProcessorCount);
        if (threads == 1 || stretches.Count < 2)
        {
            stretches.ForEach(stretch => Scan(stretch, now, populated, _found));
            return;
        }

        // Neighbours by one thread: each has a set of its own, which grows at its end.
        var found = new PageSet[Math.Min(threads, stretches.Count)];
        try
        {
            Parallel.For(0, found.Length, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
            {
                found[i] = new PageSet();
                for (var s = stretches.Count * i / found.Length; s < stretches.Count * (i + 1) / found.Length; s++)
                {
                    Scan(stretches[s], now, null, found[i]);
                }
            });
        }
        catch (AggregateException exception) when (exception.InnerException is IOException gone)
        {
            throw new IOException(gone.Message, gone);
        }

        Array.ForEach(found, _found.UnionWith);
    }

    private void Scan(Stretch stretch, PageIdentities? now, List<Stretch>? populated, PageSet found)
    {
        var entries = ArrayPool<ulong>.Shared.Rent((int)stretch.Range.PageCount);
        try
        {
            var read = entries.AsSpan(0, (int)stretch.Range.PageCount);
            Pagemap.Read(_pagemap, stretch.Range.Start, read);
            for (ulong start = stretch.Range.Start, end; start < stretch.Range.End; start = end)
            {
                end = Math.Min(stretch.Range.End, (start & ~(Pagemap.TableBytes - 1)) + Pagemap.TableBytes);
                var table = new AddressRange(start, end);
                var part = read.Slice((int)((start - stretch.Range.Start) / MemoryPage.Bytes), (int)table.PageCount);
                if (PageIdentities.Compare(start, part, stretch.Kind, Pagemap.ZeroFrame ?? 0, _known, now, found) && populated is not null)
                {
                    Stretch.Append(populated, stretch with { Range = table });
                }
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(entries);
        }
    }
}
