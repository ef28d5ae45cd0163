using System.Threading.Channels;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// Holds duplicates of everything that the lazy-pages server has open. The kernel lets a process read zeros where its pages are missing
/// once nobody has its userfaultfd any more; as long as somebody has, it waits. So when the server dies the container stands still
/// where it needs a page, until another server has taken over from here.
/// </summary>
internal sealed class UserfaultHolder : IDisposable
{
    private const short Readable = 0x1; // POLLIN
    private const int Forever = -1;
    private const int MaxWanted = 65536; // what is beyond comes without being asked for

    private readonly DescriptorChannel _listener;
    private readonly SafeFileHandle _wakeRead;
    private readonly SafeFileHandle _wakeWrite;
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private readonly List<(HeldMessage Message, SafeFileHandle Descriptor)> _held = [];
    private readonly TaskCompletionSource _connected = New();
    private readonly TaskCompletionSource _listening = New();
    private readonly TaskCompletionSource _restored = New();
    private readonly TaskCompletionSource<bool> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<(int ProcessId, ulong Address)> _wanted = Channel.CreateBounded<(int, ulong)>(new BoundedChannelOptions(MaxWanted) { FullMode = BoundedChannelFullMode.DropWrite });
    private TaskCompletionSource _disconnected = New();
    private DescriptorChannel? _server;
    private bool _hasBegun;
    private bool _hasGivenUp;
    private bool _isDisposed;

    /// <summary>Waits for servers from now on.</summary>
    /// <param name="store">The store's directory.</param>
    internal unsafe UserfaultHolder(string store)
    {
        _listener = DescriptorChannel.Listen(StoreFiles.HolderSocket(store), DescriptorChannel.Packets);
        var ends = stackalloc int[2];
        if (Libc.Pipe(ends, Libc.OpenCloseOnExec) != 0)
        {
            throw Errno.Exception("making a pipe", Errno.Last);
        }

        (_wakeRead, _wakeWrite) = (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
        // A thread that only waits in poll(2) and passes descriptors on.
        _thread = new Thread(Hold) { IsBackground = true, Name = "userfaultfds" };
        _thread.Start();
    }

    /// <summary>Pages that processes wait for and that the source alone has, by the addresses that they had when they were dumped; may repeat.</summary>
    internal ChannelReader<(int ProcessId, ulong Address)> Wanted => _wanted.Reader;

    /// <summary>A server is there.</summary>
    internal Task Connected => _connected.Task;

    /// <summary>CRIU may be started.</summary>
    internal Task Listening => _listening.Task;

    /// <summary>CRIU has restored everything; it runs.</summary>
    internal Task Restored => _restored.Task;

    /// <summary>The server has nothing left to do: true when every page is where it belongs, false when CRIU gave up before anything ran.</summary>
    internal Task<bool> Ended => _ended.Task;

    /// <summary>Completes when the server that is connected is gone.</summary>
    internal Task Disconnected(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _disconnected.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Address spaces whose pages are still loading.</summary>
    internal int HeldSpaces
    {
        get
        {
            lock (_lock)
            {
                return _held.Count(item => item.Message.Kind == HeldKind.Userfault);
            }
        }
    }

    /// <summary>Lets the server load what nobody asks for, before CRIU says that it is done: all processes are rebuilt.</summary>
    internal void Begin() => Tell(HeldKind.Begin, ref _hasBegun);

    /// <summary>Lets the server end, unless something runs already that needs it.</summary>
    internal void GiveUp() => Tell(HeldKind.GiveUp, ref _hasGivenUp);

    /// <summary>Tells the server that pages have arrived; one that is busy looks by itself.</summary>
    internal void TellArrived()
    {
        lock (_lock)
        {
            if (_server is not null)
            {
                Span<byte> bytes = stackalloc byte[HeldMessage.Bytes];
                new HeldMessage(HeldKind.Arrived).Write(bytes);
                _server.TrySend(bytes, DescriptorChannel.NoDescriptor, DescriptorChannel.DoNotWait);
            }
        }
    }

    /// <summary>Lets go of everything. Unless the server has it too, processes read zeros for what they have not got.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
        }

        _wakeWrite.Dispose(); // its other end is hung up
        _thread.Join();
        _server?.Dispose();
        _listener.Dispose();
        _wakeRead.Dispose();
        _held.ForEach(item => item.Descriptor.Dispose());
        _held.Clear();
        _ended.TrySetCanceled();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static void Send(DescriptorChannel server, in HeldMessage message, SafeFileHandle? descriptor = null)
    {
        Span<byte> bytes = stackalloc byte[HeldMessage.Bytes];
        message.Write(bytes);
        server.TrySend(bytes, descriptor); // one that is gone is noticed when it is read
    }

    private void Tell(HeldKind kind, ref bool isTold)
    {
        lock (_lock)
        {
            isTold = true; // for servers to come
            if (_server is not null)
            {
                Send(_server, new HeldMessage(kind));
            }
        }
    }

    private void Hold()
    {
        while (true)
        {
            Span<Libc.PollDescriptor> polled =
            [
                new() { Descriptor = (int)_wakeRead.DangerousGetHandle(), Events = Readable },
                new() { Descriptor = (int)(_server ?? _listener).Handle.DangerousGetHandle(), Events = Readable },
            ];
            if (Libc.Poll(ref polled[0], (nuint)polled.Length, Forever) < 0)
            {
                continue; // interrupted
            }

            lock (_lock)
            {
                if (_isDisposed)
                {
                    return;
                }

                if (_server is null)
                {
                    Welcome(_server = _listener.Accept());
                }
                else if (!Hear(_server))
                {
                    _server.Dispose();
                    _server = null;
                    _disconnected.TrySetResult();
                }
            }
        }
    }

    private void Welcome(DescriptorChannel server)
    {
        foreach (var (message, descriptor) in _held)
        {
            Send(server, message, descriptor);
        }

        if (_restored.Task.IsCompleted)
        {
            Send(server, new HeldMessage(HeldKind.Restored));
        }

        if (_hasBegun)
        {
            Send(server, new HeldMessage(HeldKind.Begin));
        }

        if (_hasGivenUp)
        {
            Send(server, new HeldMessage(HeldKind.GiveUp));
        }

        Send(server, new HeldMessage(HeldKind.All));
        _disconnected = New();
        _connected.TrySetResult();
    }

    /// <returns>False when the server is gone.</returns>
    private bool Hear(DescriptorChannel server)
    {
        Span<byte> bytes = stackalloc byte[HeldMessage.Bytes];
        if (server.Receive(bytes, 0, out var descriptor) != bytes.Length)
        {
            descriptor?.Dispose();
            return false;
        }

        var message = HeldMessage.Read(bytes);
        switch (message.Kind)
        {
            case HeldKind.Listening:
                _listening.TrySetResult();
                break;
            case HeldKind.Wanted:
                _wanted.Writer.TryWrite((message.ProcessId, message.Address));
                break;
            case HeldKind.Released:
                Drop(held => held.Kind == HeldKind.Userfault && held.Space == message.Space);
                break;
            case HeldKind.Restored:
                _restored.TrySetResult();
                Drop(held => held.Kind != HeldKind.Userfault);
                break;
            case HeldKind.Finished or HeldKind.Abandoned:
                Drop(_ => true);
                _ended.TrySetResult(message.Kind == HeldKind.Finished);
                break;
            case HeldKind.Listener or HeldKind.Connection or HeldKind.Userfault when descriptor is not null:
                Drop(held => held.Kind == message.Kind && held.Space == message.Space);
                _held.Add((message, descriptor));
                return true;
        }

        descriptor?.Dispose();
        return true;
    }

    private void Drop(Predicate<HeldMessage> which)
    {
        foreach (var item in _held.FindAll(item => which(item.Message)))
        {
            item.Descriptor.Dispose();
            _held.Remove(item);
        }
    }
}
