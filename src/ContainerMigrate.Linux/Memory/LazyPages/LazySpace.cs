using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>One address space whose pages are still loading: a restored process's, or that of one forked since.</summary>
internal sealed class LazySpace : IDisposable
{
    private LazySpace(int number, int processId, int parent, StoredImage image, PendingPages pending, AddressWindows windows) =>
        (Number, ProcessId, Parent, Image, Pending, Windows) = (number, processId, parent, image, pending, windows);

    /// <summary>Counted by the server, from 1.</summary>
    internal int Number { get; }

    /// <summary>Of a restored process, in the images; 0 for one forked since.</summary>
    internal int ProcessId { get; }

    /// <summary>Number of the address space that this one was forked from; 0 for a restored process's.</summary>
    internal int Parent { get; }

    internal StoredImage Image { get; }

    internal PendingPages Pending { get; }

    internal AddressWindows Windows { get; }

    /// <summary>Null for one that is only known from the journal.</summary>
    internal Userfault? Userfault { get; set; }

    /// <summary>Addresses of faults that could not be answered yet, because the address space is being changed.</summary>
    internal List<ulong> Waiting { get; } = [];

    /// <summary>Addresses of faults at pages that the source has been asked for.</summary>
    internal HashSet<ulong> Absent { get; } = [];

    /// <summary>All that is pending is with the source.</summary>
    internal bool IsDry { get; set; }

    /// <summary>Where the background copy goes on: a slab's index.</summary>
    internal int NextSlab { get; set; }

    /// <summary>Nothing can be loaded before its next event is read.</summary>
    internal bool IsBlocked { get; set; }

    internal bool IsLoaded => Pending.Count == 0 && Waiting.Count == 0 && Absent.Count == 0;

    internal static LazySpace OfProcess(int number, int processId, StoredImage image) => new(number, processId, 0, image, new PendingPages(image.Index), new AddressWindows());

    /// <summary>A child's, as a copy of this one.</summary>
    internal LazySpace Fork(int number)
    {
        Image.IsShared = true;
        return new LazySpace(number, 0, Number, Image, Pending.Clone(), Windows.Clone()) { NextSlab = NextSlab };
    }

    /// <summary>Pages were given back or unmapped: they hold zeros now, or do not exist.</summary>
    internal void Remove(PageRange range)
    {
        foreach (var part in Windows.ToImage(range))
        {
            Pending.Clear(part);
        }
    }

    public void Dispose() => Userfault?.Dispose();
}
