using ContainerMigrate.Images;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>
/// Keeps CRIU from reading the memory that a lazy restore brings, and puts into the images what they then lack. CRIU's own way, <c>dump --lazy-pages</c>,
/// puts every page that it leaves out into a pipe: 0.1 s for each GiB. Here it sees a <see cref="PagemapStandIn"/>, in which there are no such pages.
/// </summary>
internal sealed class LeftOutMemory
{
    // A stand-in has as much memory as CRIU is to dump by itself. A process with more of that is dumped whole.
    private const long MaxKeptBytes = 256 << 20;

    // What lies between is dumped along: cheaper than a system call more.
    private const ulong GapBytes = 8 * MemoryPage.Bytes;

    private readonly List<FrozenProcess> _processes = [];
    private readonly List<StandInGroup> _groups = [];

    private LeftOutMemory()
    {
    }

    /// <summary>What CRIU has to see.</summary>
    internal IReadOnlyList<StandInGroup> Groups => _groups;

    /// <summary>Looks at all processes of a frozen container.</summary>
    /// <exception cref="MigrationException">They cannot be looked at.</exception>
    internal static LeftOutMemory Find(string cgroupDirectory)
    {
        var memory = new LeftOutMemory();
        try
        {
            foreach (var id in ProcessCgroup.ReadProcesses(cgroupDirectory))
            {
                if (FrozenProcess.Read(id) is { } process)
                {
                    memory._processes.Add(process);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MigrationException("dump", $"the container's memory cannot be looked at: {e.Message}", "migrate with --mode stop-and-copy", e);
        }

        memory.Group();
        return memory;
    }

    /// <summary>Adds to the pagemaps of a dump the pages that it did not see, as left out.</summary>
    /// <exception cref="MigrationException">CRIU dumped something else than was meant.</exception>
    internal void Complete(string images)
    {
        // Not every process of the cgroup is of the tree that CRIU takes: what the runtime was just executing there for somebody is not.
        foreach (var process in _processes.Where(p => File.Exists(PagemapInventory.PathOf(images, p.InnerId))))
        {
            try
            {
                Complete(images, process);
            }
            catch (Exception e) when (e is InvalidDataException or FileNotFoundException)
            {
                throw new MigrationException("dump", $"CRIU's images of process {process.InnerId} are not as expected: {e.Message}", "migrate with --mode stop-and-copy", e);
            }
        }
    }

    // Guard pages have to be just where they are; pages may be in more places.
    private void Group()
    {
        foreach (var process in _processes.Where(p => p.Kept.Bytes <= MaxKeptBytes))
        {
            var group = _groups.Find(g => g.Guards.Ranges.SequenceEqual(process.Guards.Ranges) && g.Pages.Bytes + process.Kept.Bytes <= MaxKeptBytes);
            if (group is null)
            {
                _groups.Add(group = new StandInGroup(process.Guards));
            }

            group.Pages.UnionWith(Join(process.Kept));
            group.Processes.Add(process);
        }
    }

    private static PageSet Join(PageSet pages)
    {
        var joined = new PageSet();
        AddressRange? last = null;
        foreach (var range in pages.Ranges)
        {
            if (last is { } before && range.Start - before.End <= GapBytes)
            {
                last = new AddressRange(before.Start, range.End);
                continue;
            }

            if (last is { } done)
            {
                joined.Add(done);
            }

            last = range;
        }

        if (last is { } rest)
        {
            joined.Add(rest);
        }

        return joined;
    }

    private static void Complete(string images, FrozenProcess process)
    {
        var path = PagemapInventory.PathOf(images, process.InnerId);
        var image = PagemapReader.ReadFile(path);
        var mappings = MemoryImage.Read(images, process.InnerId);
        var dumped = new PageSet();
        foreach (var entry in image.Entries)
        {
            dumped.Add(new AddressRange(entry.Range.Address, entry.Range.End));
        }

        Expect(process.Kept, mappings.Dumped, dumped);
        var leftOut = process.Lazy.Intersect(mappings.Lazy);
        leftOut.ExceptWith(dumped);
        dumped.UnionWith(leftOut);
        Expect(process.Lazy, mappings.Dumped, dumped);

        // What CRIU has dumped is there: a restore need not wait for it.
        var entries = image.Entries.Select(e => e with { Flags = PagemapMarks.Present })
            .Concat(leftOut.Ranges.ToArray().Select(r => new PagemapEntry(new PageRange(r.Start, (ulong)r.PageCount), PagemapMarks.Lazy)))
            .OrderBy(e => e.Range.Address);
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 64 * 1024);
        PagemapWriter.Write(image with { Entries = [.. entries] }, file);
    }

    private static void Expect(PageSet pages, PageSet where, PageSet dumped)
    {
        var missing = pages.Intersect(where);
        missing.ExceptWith(dumped);
        if (!missing.IsEmpty)
        {
            throw new InvalidDataException($"{missing} are missing, the first at {missing.Ranges[0]}");
        }
    }
}
