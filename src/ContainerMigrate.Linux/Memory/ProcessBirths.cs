using System.Buffers.Binary;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Tells whether a process was born of certain processes, even one that has ended again, from the kernel's process events (linux/cn_proc.h). They are to be had
/// in the host's first network and pid namespace only, and if the kernel has them (CONFIG_PROC_EVENTS).
/// </summary>
internal sealed class ProcessBirths : IDisposable
{
    private const int HeaderBytes = 16; // struct nlmsghdr
    private const int ConnectorBytes = 20; // struct cn_msg
    private const int Events = 1; // CN_IDX_PROC, CN_VAL_PROC, and the group
    private const int Forked = 1; // PROC_EVENT_FORK
    private const int EventDataOffset = HeaderBytes + ConnectorBytes + 16; // behind what, cpu, timestamp_ns

    private readonly NetlinkSocket? _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private bool _isConfirmed;
    private bool _isFirst = true;

    internal ProcessBirths()
    {
        try
        {
            _socket = new NetlinkSocket(NetlinkSocket.Connector);
            _socket.Join(Events);
            Listen(_socket);
        }
        catch (IOException)
        {
            // Not to be had: it is never known then.
            _socket?.Dispose();
            _socket = null;
        }
    }

    /// <summary>Whether any has a child since the last call; true when that is not known.</summary>
    internal bool AnySinceLast(IReadOnlyCollection<int> parents)
    {
        var any = _isFirst;
        _isFirst = false;
        try
        {
            while (_socket is not null && _socket.Receive(_buffer) is { IsEmpty: false } message)
            {
                _isConfirmed = true;
                any |= message.Length < EventDataOffset + 16 || IsBirth(message, parents);
            }
        }
        catch (IOException)
        {
            any = true; // ENOBUFS: more events than there was room for
        }

        // The kernel answers the request to listen; where it did not, nothing will come.
        return any || _socket is null || !_isConfirmed;
    }

    public void Dispose() => _socket?.Dispose();

    private static bool IsBirth(ReadOnlySpan<byte> message, IReadOnlyCollection<int> parents)
    {
        int Field(ReadOnlySpan<byte> text, int offset) => BinaryPrimitives.ReadInt32LittleEndian(text[offset..]);
        if (Field(message, HeaderBytes + ConnectorBytes) != Forked)
        {
            return false;
        }

        // parent_pid, parent_tgid, child_pid, child_tgid: a new thread is in its parent's group.
        var parent = Field(message, EventDataOffset + 4);
        return Field(message, EventDataOffset + 12) != parent && parents.Contains(parent);
    }

    private static void Listen(NetlinkSocket socket)
    {
        const int MessageBytes = HeaderBytes + ConnectorBytes + sizeof(int);
        Span<byte> message = stackalloc byte[MessageBytes];
        message.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(message, MessageBytes);
        BinaryPrimitives.WriteInt16LittleEndian(message[4..], 3); // NLMSG_DONE
        BinaryPrimitives.WriteInt32LittleEndian(message[HeaderBytes..], Events);
        BinaryPrimitives.WriteInt32LittleEndian(message[(HeaderBytes + 4)..], Events);
        BinaryPrimitives.WriteInt16LittleEndian(message[(HeaderBytes + 16)..], sizeof(int));
        BinaryPrimitives.WriteInt32LittleEndian(message[(HeaderBytes + ConnectorBytes)..], 1); // PROC_CN_MCAST_LISTEN
        socket.Send(message);
    }
}
