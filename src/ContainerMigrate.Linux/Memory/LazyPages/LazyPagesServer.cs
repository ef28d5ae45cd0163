using System.Buffers.Binary;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// Stands where <c>criu lazy-pages</c> would: takes the userfaultfds of restored processes from CRIU (criu/uffd.c), answers their faults
/// from a sealed store, and loads the rest in the background. Whatever it is given it passes on to the holder before it relies on
/// it, so that it can be killed at any moment, and another one goes on.
/// </summary>
internal sealed class LazyPagesServer : IDisposable
{
    private const string SocketName = "lazy-pages.socket"; // LAZY_PAGES_SOCK_NAME
    private const uint RestoreFinished = 0x52535446; // LAZY_PAGES_RESTORE_FINISHED
    private const int RetryMilliseconds = 1;
    private const int LookForHolderMilliseconds = 200;
    private const int LookForArrivalsMilliseconds = 100; // they are told of too; this is for what gets lost
    private const int LookForEndsMilliseconds = 500;
    private const short Readable = 0x1; // POLLIN

    private readonly string _socketPath;
    private readonly LazyJournal _journal;
    private readonly HolderLink _holder;
    private readonly LazySpaces _spaces;
    private DescriptorChannel? _listener;
    private DescriptorChannel? _criu;
    private bool _isRestored;
    private bool _isGivenUp;
    private bool _hasArrivals;
    private long _lastArrivals;
    private long _lastEnds;

    /// <param name="store">A sealed store's directory, which also has the holder's socket.</param>
    /// <param name="work">CRIU's work directory for the restore.</param>
    internal LazyPagesServer(string store, string work)
    {
        _socketPath = Path.Combine(work, SocketName);
        _journal = new LazyJournal(StoreFiles.Journal(store));
        _holder = new HolderLink(StoreFiles.HolderSocket(store));
        _spaces = new LazySpaces(store, _journal, _holder);
    }

    internal long Faults => _spaces.Faults;

    internal long LoadedPages => _spaces.LoadedPages;

    /// <summary>Returns when every process has all its pages.</summary>
    /// <returns>False when CRIU gave up before anything ran.</returns>
    /// <exception cref="IOException">There is no holder, or the store cannot be read.</exception>
    internal bool Run()
    {
        TakeOver();
        if (!_isRestored && _criu is null && _listener is null)
        {
            _listener = DescriptorChannel.Listen(_socketPath, DescriptorChannel.Stream);
            _holder.Send(new HeldMessage(HeldKind.Listener), _listener.Handle);
        }

        _holder.Send(new HeldMessage(HeldKind.Listening));
        while (!_isRestored || _spaces.All.Count > 0)
        {
            if ((_isGivenUp && !_isRestored) || !Step())
            {
                _holder.Send(new HeldMessage(HeldKind.Abandoned));
                return false;
            }
        }

        _holder.Send(new HeldMessage(HeldKind.Finished));
        return true;
    }

    public void Dispose()
    {
        _criu?.Dispose();
        _listener?.Dispose();
        _spaces.Dispose();
        _holder.Dispose();
        _journal.Dispose();
    }

    private void TakeOver()
    {
        List<(HeldMessage, SafeFileHandle)> userfaults = [];
        var connected = _holder.TryConnect((message, descriptor) => Take(message, descriptor, userfaults));
        if (!connected)
        {
            throw new IOException("nobody holds the userfaultfds of this restore");
        }

        _spaces.TakeOver(userfaults);
        if (_isRestored)
        {
            _spaces.Begin();
        }
    }

    private void Take(HeldMessage message, SafeFileHandle? descriptor, List<(HeldMessage Message, SafeFileHandle Userfault)> userfaults)
    {
        switch (message.Kind)
        {
            case HeldKind.Listener when descriptor is not null:
                _listener = new DescriptorChannel(descriptor);
                break;
            case HeldKind.Connection when descriptor is not null:
                _criu = new DescriptorChannel(descriptor);
                break;
            case HeldKind.Userfault when descriptor is not null:
                userfaults.Add((message, descriptor));
                break;
            case HeldKind.Restored:
                _isRestored = true;
                break;
            default:
                descriptor?.Dispose();
                Obey(message.Kind);
                break;
        }
    }

    /// <summary>Handles everything that has happened, and then loads a piece.</summary>
    /// <returns>False when CRIU has given up.</returns>
    private bool Step()
    {
        // Those that come first are asked first.
        List<(SafeFileHandle Handle, LazySpace? Space)> polled = [];
        polled.AddRange(_spaces.All.Select(space => (space.Userfault!.Handle, (LazySpace?)space)));
        polled.AddRange(new[] { (_criu ?? _listener)?.Handle, _holder.Handle }.OfType<SafeFileHandle>().Select(handle => (handle, (LazySpace?)null)));
        var ready = Poll(polled.ConvertAll(item => item.Handle));
        for (var i = 0; i < polled.Count; i++)
        {
            if (!ready[i] && polled[i].Space is not { Waiting.Count: > 0 } and not { IsBlocked: true })
            {
                continue;
            }

            if (polled[i].Space is { } space)
            {
                _spaces.HandleEvents(space); // whichever is gone meanwhile is left alone there
            }
            else if (polled[i].Handle == _holder.Handle)
            {
                HearHolder();
            }
            else if (!HearCriu())
            {
                return false;
            }
        }

        if (!_holder.IsConnected)
        {
            FindHolder();
        }

        if (_spaces.IsDry)
        {
            LookAround();
        }

        if (_spaces.HasBegun)
        {
            _spaces.LoadSome();
        }

        return true;
    }

    private void LookAround()
    {
        var now = Environment.TickCount64;
        if (_hasArrivals || now - _lastArrivals >= LookForArrivalsMilliseconds)
        {
            (_hasArrivals, _lastArrivals) = (false, now);
            _spaces.LookForArrivals();
        }

        if (now - _lastEnds >= LookForEndsMilliseconds)
        {
            _lastEnds = now;
            _spaces.LoadSome(); // what is dry is known as such
            _spaces.LookForEnds();
        }
    }

    private bool[] Poll(List<SafeFileHandle> handles)
    {
        var descriptors = handles.ConvertAll(handle => new Libc.PollDescriptor { Descriptor = (int)handle.DangerousGetHandle(), Events = Readable }).ToArray();
        var timeout = _spaces.HasWork ? 0 : _spaces.IsBlocked ? RetryMilliseconds : _spaces.IsDry ? LookForArrivalsMilliseconds : _holder.IsConnected ? -1 : LookForHolderMilliseconds;
        if (descriptors.Length == 0)
        {
            Thread.Sleep(Math.Max(timeout, 0)); // nobody to hear from but a holder that is not there
        }
        else if (Libc.Poll(ref descriptors[0], (nuint)descriptors.Length, timeout) < 0 && Errno.Last != Errno.Interrupted)
        {
            throw Errno.Exception("poll", Errno.Last);
        }

        return Array.ConvertAll(descriptors, descriptor => descriptor.Returned != 0);
    }

    private void HearHolder()
    {
        if (_holder.TryReceive(out var message, out var descriptor))
        {
            descriptor?.Dispose();
            Obey(message.Kind);
        }
    }

    private void Obey(HeldKind kind)
    {
        if (kind == HeldKind.Begin)
        {
            _spaces.Begin();
        }

        _isGivenUp |= kind == HeldKind.GiveUp;
        _hasArrivals |= kind == HeldKind.Arrived;
    }

    // The daemon was started anew, and holds nothing yet.
    private void FindHolder()
    {
        HashSet<int> held = [];
        var connected = _holder.TryConnect((message, descriptor) =>
        {
            descriptor?.Dispose();
            held.Add(message.Kind == HeldKind.Userfault ? message.Space : 0);
            Obey(message.Kind);
        });
        if (!connected)
        {
            return;
        }

        // The userfaultfds last: whoever sees them with the holder may rely on the rest.
        if (_criu is not null)
        {
            _holder.Send(new HeldMessage(HeldKind.Connection), _criu.Handle);
        }

        if (_listener is not null)
        {
            _holder.Send(new HeldMessage(HeldKind.Listener), _listener.Handle);
        }

        if (_isRestored)
        {
            _holder.Send(new HeldMessage(HeldKind.Restored));
        }

        _spaces.Hold(held);
        _spaces.AskAgain();
        _holder.Send(new HeldMessage(HeldKind.Listening));
    }

    /// <returns>False when CRIU has given up.</returns>
    private bool HearCriu()
    {
        if (_criu is null)
        {
            // CRIU connects long before it sends anything; should this process be killed right here, it finds nobody and gives up.
            _criu = _listener!.Accept();
            _holder.Send(new HeldMessage(HeldKind.Connection), _criu.Handle);
            return true;
        }

        // A process is its pid, then a byte with its userfaultfd; pids below 0 are zombies, which have none. Everything is looked at in the
        // queue first, and taken out of it when the holder has it: nothing is lost with this process.
        Span<byte> message = stackalloc byte[sizeof(int) + 1];
        var pid = message[..sizeof(int)];
        var length = _criu.Receive(pid, DescriptorChannel.Peek, out var none);
        none?.Dispose();
        if (length == 0)
        {
            return _isRestored;
        }

        var value = BinaryPrimitives.ReadInt32LittleEndian(pid);
        if ((uint)value == RestoreFinished)
        {
            EndOfRestore();
            return true;
        }

        if (value <= 0)
        {
            _criu.Receive(pid, DescriptorChannel.WaitForAll, out _);
            return true;
        }

        if (_criu.Receive(message, DescriptorChannel.Peek, out var userfault) == message.Length && userfault is not null)
        {
            _spaces.AddRestored(value, userfault);
            _criu.Receive(message, DescriptorChannel.WaitForAll, out var same);
            same?.Dispose();
        }

        return true;
    }

    private void EndOfRestore()
    {
        _isRestored = true;
        _spaces.Begin();
        _holder.Send(new HeldMessage(HeldKind.Restored));
        _criu!.Dispose();
        _listener?.Dispose();
        (_criu, _listener) = (null, null);
        File.Delete(_socketPath);
    }
}
