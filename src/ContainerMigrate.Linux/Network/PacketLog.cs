using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// A group of nfnetlink_log (linux/netfilter/nfnetlink_log.h) in the network namespace of the thread that makes it: copies of the packets
/// that rules send there, as the kernel has them. Checksums may be left to hardware, and segments merged: see <see cref="OffloadedPacket"/>.
/// For one thread.
/// </summary>
internal sealed class PacketLog : IDisposable
{
    /// <summary>The group's number; whoever else listens to groups in a container begins at the small ones.</summary>
    internal const ushort Group = 0xC76D;

    private const ushort Subsystem = 4 << 8; // NFNL_SUBSYS_ULOG
    private const ushort PacketMessage = Subsystem | 0; // NFULNL_MSG_PACKET
    private const ushort ConfigMessage = Subsystem | 1; // NFULNL_MSG_CONFIG
    private const int RoomBytes = 16 << 20; // as the kernel counts, which is more than a packet's own length

    private readonly NetlinkSocket _socket = new(NetlinkSocket.Netfilter);
    private readonly byte[] _buffer = new byte[256 << 10];

    /// <exception cref="IOException">The kernel has no such groups, or somebody else in the namespace has this one.</exception>
    internal PacketLog()
    {
        try
        {
            _socket.MakeRoom(RoomBytes);
            Configure(1, [1]); // NFULA_CFG_CMD: NFULNL_CFG_CMD_BIND
            Configure(2, [0, 0, 0xFF, 0xFF, 2, 0]); // NFULA_CFG_MODE: 65535 bytes, NFULNL_COPY_PACKET
            Configure(5, [0, 0, 0, 1]); // NFULA_CFG_QTHRESH: each at once, not 100 or what has come within a second
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    internal delegate void Taker(ReadOnlySpan<byte> packet);

    /// <summary>Waits until there are packets.</summary>
    internal bool Wait(TimeSpan timeout) => _socket.Wait(timeout);

    /// <summary>Reads what there is, without waiting.</summary>
    internal void Read(Taker take)
    {
        while (_socket.Receive(_buffer) is { IsEmpty: false } datagram)
        {
            foreach (var message in new NetlinkMessages(datagram))
            {
                if (message.Type == PacketMessage)
                {
                    take(message.FindAttribute(NfTablesRequest.FamilyHeaderBytes, 9)); // NFULA_PAYLOAD
                }
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Configure(ushort attribute, ReadOnlySpan<byte> value)
    {
        const int HeaderBytes = 16 + NfTablesRequest.FamilyHeaderBytes; // struct nlmsghdr, struct nfgenmsg
        const int AttributeHeaderBytes = 4; // struct nlattr
        const ushort Request = 0x001, Acknowledge = 0x004; // NLM_F_REQUEST, NLM_F_ACK
        var message = new byte[HeaderBytes + AttributeHeaderBytes + ((value.Length + 3) & ~3)];
        BitConverter.TryWriteBytes(message, message.Length);
        BitConverter.TryWriteBytes(message.AsSpan(4), ConfigMessage);
        BitConverter.TryWriteBytes(message.AsSpan(6), (ushort)(Request | Acknowledge));
        message[18] = Group >> 8; // the resource of struct nfgenmsg, in network order
        message[19] = Group & 0xFF;
        BitConverter.TryWriteBytes(message.AsSpan(HeaderBytes), (ushort)(AttributeHeaderBytes + value.Length));
        BitConverter.TryWriteBytes(message.AsSpan(HeaderBytes + 2), attribute);
        value.CopyTo(message.AsSpan(HeaderBytes + AttributeHeaderBytes));
        _socket.Send(message);
        foreach (var answer in new NetlinkMessages(_socket.Receive(_buffer)))
        {
            if (answer.Error is { } error and not 0)
            {
                throw Errno.Exception("asking for copies of packets", error);
            }
        }
    }
}
