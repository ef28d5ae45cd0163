using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// The address spaces of a restored container while their pages are loading. Answers faults, follows what the processes do to their
/// mappings, and loads the rest in between. Everything happens on one thread: a page must not arrive in a parent between a fork and the
/// moment at which the child is known.
/// </summary>
internal sealed class LazySpaces : IDisposable
{
    // Loaded with the page that was asked for: its neighbours are likely next, and a fault costs more than copying them.
    private const int PagesAroundFault = 16;

    // A fault waits for at most one of these, about 0.1 ms and 0.4 ms.
    private const int PagesAtOnceAfterFault = 64;
    private const int PagesAtOnce = 256;
    private const long QuietMilliseconds = 20;

    private readonly string _store;
    private readonly LazyJournal _journal;
    private readonly HolderLink _holder;
    private readonly PageLoader _loader;
    private readonly Dictionary<int, LazySpace> _spaces = [];
    private readonly Dictionary<int, StoredImage> _images = [];
    private int _lastNumber;
    private int _turn;
    private long _lastFault;

    internal LazySpaces(string store, LazyJournal journal, HolderLink holder) =>
        (_store, _journal, _holder, _loader) = (store, journal, holder, new PageLoader(journal));

    internal IReadOnlyCollection<LazySpace> All => _spaces.Values;

    internal bool HasBegun => _loader.HasBegun;

    internal long Faults { get; private set; }

    internal long LoadedPages => _loader.LoadedPages;

    /// <summary>There is something to load for which nothing has to be waited.</summary>
    internal bool HasWork => HasBegun && _spaces.Values.Any(space => !space.IsBlocked && !space.IsDry);

    /// <summary>Something has to be looked at again though nothing was heard: pages may have arrived, or processes ended.</summary>
    internal bool IsDry => _spaces.Values.Any(space => space.IsDry || space.Absent.Count > 0);

    /// <summary>Something has to be tried again soon.</summary>
    internal bool IsBlocked => _spaces.Values.Any(space => space.IsBlocked || space.Waiting.Count > 0);

    /// <summary>A process that CRIU restores. The holder has it first: from then on it does not depend on this process.</summary>
    internal void AddRestored(int processId, SafeFileHandle userfault)
    {
        if (_spaces.Values.Any(space => space.ProcessId == processId))
        {
            userfault.Dispose(); // a server before this one died between holding and taking it
            return;
        }

        var number = ++_lastNumber;
        _holder.Send(new HeldMessage(HeldKind.Userfault, number, processId), userfault);
        _journal.Append(new JournalRecord(JournalKind.Restored, number, (ulong)processId));
        Add(LazySpace.OfProcess(number, processId, ImageOf(processId)), userfault);
    }

    /// <summary>Goes on where a server before this one was.</summary>
    /// <param name="held">The userfaultfds that the holder has kept.</param>
    internal void TakeOver(IEnumerable<(HeldMessage Message, SafeFileHandle Userfault)> held)
    {
        foreach (var entry in _journal.Earlier)
        {
            Replay(entry);
        }

        foreach (var (message, userfault) in held.OrderBy(item => item.Message.Space))
        {
            _lastNumber = Math.Max(_lastNumber, message.Space);
            if (!_spaces.ContainsKey(message.Space))
            {
                // Its holder knew it, and the journal not yet.
                var entry = message.Parent == 0
                    ? new JournalRecord(JournalKind.Restored, message.Space, (ulong)message.ProcessId)
                    : new JournalRecord(JournalKind.Forked, message.Parent, (ulong)message.Space);
                _journal.Append(entry);
                Replay(entry);
            }

            _spaces[message.Space].Userfault = new Userfault(userfault);
        }

        foreach (var gone in _spaces.Values.Where(space => space.Userfault is null).ToList())
        {
            _spaces.Remove(gone.Number);
        }

        foreach (var space in _spaces.Values)
        {
            space.Userfault!.WakeAll(); // a fault that was read by a server that died is not told again
        }
    }

    /// <summary>Tells a new holder of everything.</summary>
    internal void Hold(IReadOnlySet<int> heldAlready)
    {
        foreach (var space in _spaces.Values.Where(space => !heldAlready.Contains(space.Number)))
        {
            _holder.Send(new HeldMessage(HeldKind.Userfault, space.Number, space.ProcessId, space.Parent), space.Userfault!.Handle);
        }
    }

    /// <summary>Asks anew for every page that a fault waits for: whoever was asked is gone.</summary>
    internal void AskAgain()
    {
        foreach (var space in _spaces.Values)
        {
            foreach (var address in space.Absent)
            {
                Ask(space, address);
            }
        }
    }

    /// <summary>Pages may have arrived: answers whoever waits for one, and looks for what can be loaded.</summary>
    internal void LookForArrivals()
    {
        foreach (var space in _spaces.Values.Where(space => space.IsDry || space.Absent.Count > 0).ToList())
        {
            space.IsDry = false;
            foreach (var address in space.Absent.ToArray())
            {
                space.Absent.Remove(address);
                if (IsKnown(space))
                {
                    Answer(space, address, asked: true);
                }
            }
        }
    }

    /// <summary>Lets go of address spaces that have nothing to load and whose processes are gone: nothing else would tell.</summary>
    internal void LookForEnds()
    {
        foreach (var space in _spaces.Values.Where(space => space.IsDry && space.Userfault!.IsGone).ToList())
        {
            Release(space);
        }
    }

    /// <summary>All address spaces are registered now.</summary>
    internal void Begin()
    {
        if (!HasBegun)
        {
            _journal.Append(new JournalRecord(JournalKind.Begun, 0));
            _loader.HasBegun = true;
        }
    }

    /// <summary>Reads and handles what an address space has to say, and tries again what had to wait for it.</summary>
    internal void HandleEvents(LazySpace space)
    {
        while (IsKnown(space) && space.Userfault!.TryRead(out var message))
        {
            switch (message.Kind)
            {
                case UserfaultEventKind.PageFault:
                    Faults++;
                    _lastFault = Environment.TickCount64;
                    Answer(space, MemoryPage.Align(message.To));
                    break;
                case UserfaultEventKind.Fork:
                    // The child's userfaultfd is nowhere but here: between the read and this nothing may take time, not even an allocation.
                    _holder.Send(new HeldMessage(HeldKind.Userfault, ++_lastNumber, Parent: space.Number), message.ChildDescriptor);
                    AddForked(space, new SafeFileHandle(message.ChildDescriptor, ownsHandle: true));
                    break;
                case UserfaultEventKind.Remap:
                    Apply(space, new JournalRecord(JournalKind.Moved, space.Number, message.From, message.To, message.Length));
                    break;
                case UserfaultEventKind.Remove or UserfaultEventKind.Unmap:
                    Apply(space, new JournalRecord(JournalKind.Removed, space.Number, message.From, message.To));
                    break;
                default:
                    throw new InvalidDataException($"an event {message.Kind:x} that nobody asked for");
            }
        }

        space.IsBlocked = false;
        var waiting = space.Waiting.ToArray();
        space.Waiting.Clear();
        foreach (var address in waiting)
        {
            if (IsKnown(space))
            {
                Answer(space, address);
            }
        }
    }

    /// <summary>It still has pages to come, and has not ended.</summary>
    internal bool IsKnown(LazySpace space) => _spaces.ContainsKey(space.Number);

    /// <summary>Loads a piece of what nobody has asked for yet, and lets go of address spaces that have everything.</summary>
    internal void LoadSome()
    {
        var spaces = _spaces.Values.Where(space => !space.IsBlocked && !space.IsDry).ToList();
        if (spaces.Count == 0)
        {
            return;
        }

        var turn = spaces[_turn++ % spaces.Count];
        var budget = Environment.TickCount64 - _lastFault > QuietMilliseconds ? PagesAtOnce : PagesAtOnceAfterFault;
        while (budget > 0 && IsKnown(turn) && !turn.IsBlocked)
        {
            if (!TryFindNext(turn, out var slab, out var first, out var count))
            {
                turn.IsDry = turn.Pending.Count > 0;
                break;
            }

            count = Math.Min(count, budget);
            Settle(turn, _loader.Load(turn, slab, first, count));
            budget -= count;
        }

        if (turn.IsLoaded)
        {
            Release(turn);
        }
    }

    public void Dispose()
    {
        foreach (var space in _spaces.Values)
        {
            space.Dispose();
        }

        foreach (var image in _images.Values)
        {
            image.Dispose();
        }

        _loader.Dispose();
    }

    private static bool TryFindNext(LazySpace space, out int slab, out int first, out int count)
    {
        for (var i = 0; i < space.Pending.Slabs; i++, space.NextSlab++)
        {
            slab = space.NextSlab %= space.Pending.Slabs;
            if (space.Pending.TryFindRun(slab, 0, space.Image.Absent(slab), out first, out count))
            {
                return true;
            }
        }

        (slab, first, count) = (0, 0, 0);
        return false;
    }

    /// <param name="asked">The page has been asked for before.</param>
    private void Answer(LazySpace space, ulong address, bool asked = false)
    {
        var image = space.Windows.ToImage(address);
        var slab = image is { } dumped ? space.Pending.Find(dumped) : -1;
        LoadProgress progress;
        if (slab < 0)
        {
            progress = PageLoader.LoadZero(space, address);
        }
        else
        {
            var page = PageSlab.PageOf(image!.Value);
            var absent = space.Image.Absent(slab);
            if (absent.Contains(page))
            {
                if (space.Absent.Add(address) && !asked)
                {
                    Ask(space, address);
                }

                return;
            }

            space.Pending.TryFindRun(slab, page, absent, out var first, out var count);
            progress = _loader.Load(space, slab, first, HasBegun ? Math.Min(count, PagesAroundFault) : 1);
        }

        Settle(space, progress);
        if (progress is LoadProgress.Blocked or LoadProgress.NoMemory)
        {
            space.Waiting.Add(address);
        }
    }

    private void Ask(LazySpace space, ulong address)
    {
        if (space.Windows.ToImage(address) is { } image)
        {
            _holder.Send(HeldMessage.Wanted(space.Image.ProcessId, image));
        }
    }

    private void Settle(LazySpace space, LoadProgress progress)
    {
        space.IsBlocked |= progress is LoadProgress.Blocked or LoadProgress.NoMemory;
        if (progress == LoadProgress.Gone)
        {
            Release(space);
        }
    }

    private void AddForked(LazySpace parent, SafeFileHandle userfault)
    {
        _journal.Append(new JournalRecord(JournalKind.Forked, parent.Number, (ulong)_lastNumber));
        Add(parent.Fork(_lastNumber), userfault);
    }

    private void Apply(LazySpace space, in JournalRecord entry)
    {
        _journal.Append(entry);
        Change(space, entry);
    }

    private void Replay(in JournalRecord entry)
    {
        switch (entry.Kind)
        {
            case JournalKind.Restored:
                _spaces[entry.Space] = LazySpace.OfProcess(entry.Space, (int)entry.A, ImageOf((int)entry.A));
                break;
            case JournalKind.Forked:
                _spaces[(int)entry.A] = _spaces[entry.Space].Fork((int)entry.A);
                break;
            case JournalKind.Begun:
                _loader.HasBegun = true;
                break;
            default:
                Change(_spaces[entry.Space], entry);
                break;
        }

        _lastNumber = Math.Max(_lastNumber, entry.Kind == JournalKind.Forked ? (int)entry.A : entry.Space);
    }

    private static void Change(LazySpace space, in JournalRecord entry)
    {
        switch (entry.Kind)
        {
            case JournalKind.Moved:
                space.Windows.Move(new PageRange(entry.A, entry.C >> MemoryPage.Shift), entry.B);
                break;
            case JournalKind.Removed:
                space.Remove(new PageRange(entry.A, (entry.B - entry.A) >> MemoryPage.Shift));
                break;
            case JournalKind.Loaded:
                space.Pending.ClearSlab(entry.A);
                break;
            default:
                throw new InvalidDataException($"the journal of the lazy restore is damaged: {entry.Kind}");
        }
    }

    private void Add(LazySpace space, SafeFileHandle userfault)
    {
        space.Userfault = new Userfault(userfault);
        _spaces.Add(space.Number, space);
    }

    private void Release(LazySpace space)
    {
        if (_spaces.Remove(space.Number))
        {
            _holder.Send(new HeldMessage(HeldKind.Released, space.Number));
            space.Dispose();
        }
    }

    private StoredImage ImageOf(int processId)
    {
        if (!_images.TryGetValue(processId, out var image))
        {
            _images[processId] = image = new StoredImage(_store, processId);
        }

        return image;
    }
}
