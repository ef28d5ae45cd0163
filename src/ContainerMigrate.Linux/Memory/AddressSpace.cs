using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// One program's memory under tracking. The files of /proc that it holds open stay with this address space when the process
/// gets another one (exec) or its number goes to somebody else; they are empty from then on.
/// </summary>
internal sealed class AddressSpace : ISharedMappings, IDisposable
{
    // Where user addresses end with four levels of page tables; mappings above it (five levels, on request) move it up.
    private const ulong UsualEnd = 0x7FFF_FFFF_F000;

    private readonly SafeFileHandle _maps;
    private readonly SafeFileHandle _pagemap;
    private readonly List<Mapping> _mappings = [];
    private PageSet _found = new();
    private UserFaultDescriptor? _tracker;

    private AddressSpace(SafeFileHandle maps, SafeFileHandle pagemap, SafeFileHandle memory, string layout)
    {
        _maps = maps;
        _pagemap = pagemap;
        Memory = memory;
        Layout = layout;
    }

    /// <summary><c>/proc/PID/mem</c>.</summary>
    internal SafeFileHandle Memory { get; }

    /// <summary>Where the program put its parts: what tells it from a later program of the same process while the old memory lives on elsewhere.</summary>
    internal string Layout { get; }

    internal bool IsTracked => _tracker is not null;

    /// <inheritdoc/>
    public IReadOnlyList<Mapping> Mappings => _mappings;

    /// <summary>Null when the process has no memory: it has ended, or its first thread has.</summary>
    internal static AddressSpace? Open(int processId)
    {
        var files = new SafeFileHandle?[3];
        try
        {
            string[] names = ["maps", "pagemap", "mem"];
            for (var i = 0; i < names.Length; i++)
            {
                files[i] = File.OpenHandle($"/proc/{processId}/{names[i]}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            }

            var space = new AddressSpace(files[0]!, files[1]!, files[2]!, ProcessLayout.Read(processId));
            MappingReader.Read(space._maps, space._mappings);
            if (space._mappings.Count > 0)
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

    /// <summary>From now on writes are noted; takes ownership.</summary>
    /// <returns>False when the kernel lacks what is needed.</returns>
    internal bool Track(SafeFileHandle descriptor)
    {
        _tracker = UserFaultDescriptor.Create(descriptor);
        return IsTracked;
    }

    /// <summary>Finds what was written since the last call that <see cref="TakeFound"/> followed.</summary>
    /// <returns>False when the address space is gone.</returns>
    internal bool Scan()
    {
        MappingReader.Read(_maps, _mappings);
        if (_mappings.Count == 0)
        {
            return false;
        }

        try
        {
            if (_tracker is null)
            {
                Find(Everything, 0, PageScan.Foreign, protect: false, _found);
                return true;
            }

            FindWritten(_tracker);
            return true;
        }
        catch (IOException)
        {
            return false; // it went away in between
        }
    }

    /// <summary>Hands over what scans have found, that of private file mappings apart.</summary>
    internal (PageSet Anonymous, PageSet OfFiles) TakeFound()
    {
        var files = Select(mapping => mapping.Kind == MappingKind.PrivateFile);
        var anonymous = _found;
        _found = new PageSet();
        var ofFiles = anonymous.Intersect(files);
        anonymous.ExceptWith(ofFiles);
        return (anonymous, ofFiles);
    }

    /// <inheritdoc/>
    public bool FindWrittenShared(Mapping mapping, PageSet written)
    {
        if (_tracker is null)
        {
            return false;
        }

        try
        {
            var untracked = new PageSet();
            Find(mapping.Range, 0, PageScan.Trackable, 0, protect: false, untracked);
            var isFresh = false;
            foreach (var range in untracked.Ranges)
            {
                isFresh |= Register(_tracker, range) || mapping.IsWritable;
            }

            // No other category is asked for: then the kernel takes an empty place for written, unless it has marked it as protected. So what was
            // written and taken out of the page tables since is found, too (task_mmu.c, pagemap_scan_pmd_entry).
            Find(mapping.Range, PageScan.Written, 0, 0, protect: true, written);
            return !isFresh;
        }
        catch (IOException)
        {
            return false; // it went away, and with it what was noted
        }
    }

    /// <summary>Lifts the protection piece by piece; for a program that is to run on.</summary>
    internal void Release()
    {
        if (_tracker is null)
        {
            return;
        }

        MappingReader.Read(_maps, _mappings);
        foreach (var mapping in _mappings)
        {
            if (mapping.Kind != MappingKind.Other)
            {
                _tracker.Unregister(mapping.Range);
            }
        }
    }

    public void Dispose()
    {
        _tracker?.Dispose();
        _maps.Dispose();
        _pagemap.Dispose();
        Memory.Dispose();
    }

    private AddressRange Everything
    {
        get
        {
            // The last line may be the vsyscall page, in the kernel's half.
            var end = UsualEnd;
            foreach (var mapping in _mappings)
            {
                end = mapping.Range.End > end && mapping.Range.End <= long.MaxValue ? mapping.Range.End : end;
            }

            return new AddressRange(0, end);
        }
    }

    private void FindWritten(UserFaultDescriptor tracker)
    {
        var (freshAnonymous, freshOfFiles) = (new PageSet(), new PageSet());
        RegisterNew(tracker, freshAnonymous, freshOfFiles);

        // What has just been registered goes by what exists.
        FindFresh(freshAnonymous, PageScan.Empty);
        FindFresh(freshOfFiles, PageScan.Foreign);
        foreach (var range in Select(mapping => mapping.Kind == MappingKind.Anonymous).Ranges)
        {
            Find(range, PageScan.Written, PageScan.Empty, protect: true, _found);
        }

        foreach (var range in Select(mapping => mapping.Kind == MappingKind.PrivateFile).Ranges)
        {
            // A written page that was given up (MADV_DONTNEED) leaves a mark behind which looks, to CRIU as well, like a protected page in the swap; what
            // would be read there is the file's again. So all that looks swapped out is reported every time.
            Find(range, PageScan.Written, PageScan.Foreign, protect: true, _found);
            Find(range, PageScan.Swapped | PageScan.Trackable, PageScan.Foreign, 0, protect: false, _found);
        }

        // The rest, in mappings that could not be registered or are new: found as it is, each time. In read-only mappings of files there is mostly
        // nothing; where there is (relocated data), they are registered as well. Others are not, because it slows down their page faults.
        var rest = new PageSet();
        Find(Everything, 0, PageScan.Foreign | PageScan.Trackable, protect: false, rest);
        if (!rest.IsEmpty)
        {
            _found.UnionWith(rest);
            var fresh = new PageSet();
            Register(tracker, Select(mapping => mapping is { Kind: MappingKind.PrivateFile, IsWritable: false } && rest.Overlaps(mapping.Range)), FindUntracked(), fresh);
            FindFresh(fresh, PageScan.Foreign);
        }
    }

    /// <summary>
    /// A mapping that grows while it is registered is in two pieces after that, which mremap(2) refuses to move as one (EFAULT). So this looks again until
    /// there is nothing more to register: the pieces become one.
    /// </summary>
    private void RegisterNew(UserFaultDescriptor tracker, PageSet freshAnonymous, PageSet freshOfFiles)
    {
        const int Passes = 5;
        for (var pass = 0; pass < Passes; pass++)
        {
            var untracked = FindUntracked();
            var isDone = !Register(tracker, Select(mapping => mapping.Kind == MappingKind.Anonymous), untracked, freshAnonymous)
                & !Register(tracker, Select(mapping => mapping is { Kind: MappingKind.PrivateFile, IsWritable: true }), untracked, freshOfFiles);
            if (isDone)
            {
                return;
            }

            MappingReader.Read(_maps, _mappings);
        }
    }

    /// <summary>Registers what of the candidates is not; mappings that touch in one call.</summary>
    private bool Register(UserFaultDescriptor tracker, PageSet candidates, PageSet untracked, PageSet registered)
    {
        var any = false;
        foreach (var range in candidates.Intersect(untracked).Ranges)
        {
            if (Register(tracker, range))
            {
                registered.Add(range);
                any = true;
                continue;
            }

            // One of several that cannot be registered spoils all: each by itself.
            foreach (var mapping in _mappings)
            {
                var piece = (Start: Math.Max(range.Start, mapping.Range.Start), End: Math.Min(range.End, mapping.Range.End));
                if (piece.Start < piece.End && new AddressRange(piece.Start, piece.End) is var part && part != range && Register(tracker, part))
                {
                    registered.Add(part);
                    any = true;
                }
            }
        }

        return any;
    }

    /// <summary>
    /// Registers, and makes sure that no page carries a mark of an earlier registration. When mremap puts a mapping beside a registered one with which it
    /// merges, the kernel unregisters both and leaves the marks in place (mremap_userfaultfd_prep); a page that is written after that keeps its mark and is
    /// writable, and would never be seen as written again: PAGEMAP_SCAN protects only what has no mark.
    /// </summary>
    private bool Register(UserFaultDescriptor tracker, AddressRange range)
    {
        if (!tracker.Register(range))
        {
            return false;
        }

        var marked = new PageSet();
        Find(range, 0, PageScan.Written, protect: false, marked);
        foreach (var stale in marked.Ranges)
        {
            if (!tracker.Unprotect(stale))
            {
                tracker.Unregister(range); // changed meanwhile: the next scan begins anew
                return false;
            }
        }

        return true;
    }

    private PageSet FindUntracked()
    {
        var untracked = new PageSet();
        Find(Everything, 0, PageScan.Trackable, 0, protect: false, untracked);
        return untracked;
    }

    private PageSet Select(Func<Mapping, bool> isWanted)
    {
        var selected = new PageSet();
        foreach (var mapping in _mappings)
        {
            if (isWanted(mapping))
            {
                selected.Add(mapping.Range);
            }
        }

        return selected;
    }

    private void FindFresh(PageSet registered, ulong none)
    {
        foreach (var range in registered.Ranges)
        {
            Find(range, 0, none, protect: true, _found);
        }
    }

    private void Find(AddressRange range, ulong all, ulong none, bool protect, PageSet found) =>
        Find(range, all, none, PageScan.Present | PageScan.Swapped, protect, found);

    private void Find(AddressRange range, ulong all, ulong none, ulong any, bool protect, PageSet found) =>
        PageScan.Find(_pagemap, range, all, none, any, protect, found);
}
