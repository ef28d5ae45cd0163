using System.Runtime.InteropServices;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>Brings pages from the store into address spaces.</summary>
internal sealed unsafe class PageLoader : IDisposable
{
    private const int Exists = 17; // EEXIST: the page is there
    private const int NoEntry = 2; // ENOENT: no mapping that is registered there, or one that ends in between
    private const int TryAgain = 11; // EAGAIN: an event has to be read first, or it was done in part
    private const int NoProcess = 3; // ESRCH: the address space is gone
    private const int NoSpace = 28; // ENOSPC: the same, from kernels before 4.11
    private const int NoMemory = 12; // ENOMEM: of the machine or the container's cgroup

    private readonly LazyJournal _journal;
    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(PageSlab.Bytes, MemoryPage.Bytes);

    internal PageLoader(LazyJournal journal) => _journal = journal;

    /// <summary>Every address space is registered; before that a page without a mapping may still get one.</summary>
    internal bool HasBegun { get; set; }

    internal long LoadedPages { get; private set; }

    /// <summary>Loads a row of pending pages.</summary>
    /// <param name="slab">Index of their slab.</param>
    internal LoadProgress Load(LazySpace space, int slab, int first, int count)
    {
        var pages = space.Pending.SlabAt(slab);
        var image = new PageRange(pages.Address + ((ulong)first << MemoryPage.Shift), (ulong)count);
        if (space.Windows.FromImage(image) is not { } now)
        {
            space.Pending.Clear(slab, first, 1); // something else was moved over it
            return LoadProgress.Done;
        }

        count = (int)now.PageCount;
        space.Image.Read(pages, first, new Span<byte>(_buffer, count << MemoryPage.Shift));
        var progress = Copy(space, slab, first, now.Address, count);
        if (space.Pending.IsLoaded(slab))
        {
            // Recorded first: a successor must not take holes for pages.
            _journal.Append(new JournalRecord(JournalKind.Loaded, space.Number, pages.Address));
            space.Image.Free(pages);
        }

        return progress;
    }

    /// <summary>Answers a fault at a page that the dumped process did not have, or had full of zeros.</summary>
    internal static LoadProgress LoadZero(LazySpace space, ulong address)
    {
        space.Userfault!.Zero(address, out var error);
        switch (error)
        {
            case 0:
                return LoadProgress.Done;
            case Exists or NoEntry:
                space.Userfault.Wake(address);
                return LoadProgress.Done;
            default:
                return Judge(error);
        }
    }

    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    private LoadProgress Copy(LazySpace space, int slab, int first, ulong address, int count)
    {
        var attempt = count;
        for (var done = 0; done < count;)
        {
            var at = address + ((ulong)done << MemoryPage.Shift);
            attempt = Math.Clamp(attempt, 1, count - done);
            var copied = space.Userfault!.Copy(at, _buffer + (done << MemoryPage.Shift), attempt << MemoryPage.Shift, out var error) >> MemoryPage.Shift;
            if (copied == 0)
            {
                switch (error)
                {
                    case NoEntry when !HasBegun:
                        return LoadProgress.Blocked;
                    case NoEntry when attempt > 1:
                        attempt /= 2; // all of it has to lie in one mapping
                        continue;
                    case NoEntry or Exists:
                        space.Userfault.Wake(at); // whoever waits finds the page, or that there is no mapping any more
                        copied = 1;
                        break;
                    default:
                        return Judge(error);
                }
            }
            else
            {
                LoadedPages += copied;
            }

            space.Pending.Clear(slab, first + done, copied);
            done += copied;
            attempt *= 2;
        }

        return LoadProgress.Done;
    }

    private static LoadProgress Judge(int error) => error switch
    {
        TryAgain => LoadProgress.Blocked,
        NoProcess or NoSpace => LoadProgress.Gone,
        NoMemory => LoadProgress.NoMemory,
        _ => throw Interop.Errno.Exception("loading pages", error),
    };
}
