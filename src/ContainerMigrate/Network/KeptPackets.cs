using System.Diagnostics.CodeAnalysis;

namespace ContainerMigrate.Network;

/// <summary>
/// Packets in the order of their arrival, within bounds, from one writer to one reader. What exceeds the bounds is dropped, the newest
/// first: of a TCP connection the oldest are what everything later waits for. They stay here until this goes.
/// </summary>
public sealed class KeptPackets
{
    /// <summary>How many are kept at most.</summary>
    public const int MaxCount = 4096;

    /// <summary>How many bytes they have together at most.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>The longest one; IP has no longer packets.</summary>
    public const int MaxPacketBytes = 65535;

    private readonly Lock _lock = new();
    private readonly List<byte[]> _packets = [];
    private TaskCompletionSource _changed = NewSignal();
    private long _bytes;
    private int _dropped;
    private bool _complete;

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _packets.Count;
            }
        }
    }

    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _bytes;
            }
        }
    }

    /// <summary>How many were not taken.</summary>
    public int Dropped
    {
        get
        {
            lock (_lock)
            {
                return _dropped;
            }
        }
    }

    /// <summary>Takes a copy of a packet, or counts it as dropped.</summary>
    public void Add(ReadOnlySpan<byte> packet)
    {
        lock (_lock)
        {
            if (_complete || packet.Length > MaxPacketBytes || _packets.Count == MaxCount || _bytes + packet.Length > MaxBytes)
            {
                _dropped++;
                return;
            }

            _packets.Add(packet.ToArray());
            _bytes += packet.Length;
        }

        Signal();
    }

    /// <summary>Nothing more will come. Idempotent.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _complete = true;
        }

        Signal();
    }

    /// <summary>The packet of a number, counted from 0, if it has arrived.</summary>
    public bool TryGet(int number, [NotNullWhen(true)] out byte[]? packet)
    {
        lock (_lock)
        {
            packet = number < _packets.Count ? _packets[number] : null;
            return packet is not null;
        }
    }

    /// <summary>Waits until the packet of a number has arrived.</summary>
    /// <returns>False when it never will.</returns>
    public async Task<bool> WaitAsync(int number, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (number < _packets.Count || _complete)
                {
                    return number < _packets.Count;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private void Signal()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            (changed, _changed) = (_changed, NewSignal());
        }

        changed.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
