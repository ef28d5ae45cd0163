using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Whole frames on one link (packet(7)), in the network namespace of the thread that makes it; afterwards any thread may
/// use it. It passes by the fence: packet sockets sit below nftables' ARP and IP hooks.
/// </summary>
internal sealed class PacketSocket : IDisposable
{
    private readonly Socket _socket;

    /// <param name="linkIndex">The link's index in that namespace.</param>
    /// <param name="heard">Ethernet type of the frames to receive; null for a socket that only sends, so that nothing piles up in it.</param>
    internal PacketSocket(int linkIndex, ushort? heard)
    {
        // Bound with protocol 0 it hears nothing (packet(7)).
        _socket = new Socket(AddressFamily.Packet, SocketType.Raw, ProtocolType.Unspecified);
        try
        {
            _socket.Bind(new LinkEndPoint(linkIndex, heard ?? 0));
            if (heard is not null)
            {
                HearMulticast(linkIndex);
            }
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    internal void Send(ReadOnlySpan<byte> frame) => _socket.Send(frame);

    internal ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _socket.ReceiveAsync(buffer, cancellationToken);

    public void Dispose() => _socket.Dispose();

    // Answers to a probe from nobody go to all nodes, which a link without IPv6 has not joined.
    private void HearMulticast(int linkIndex)
    {
        const int PacketLevel = 263; // SOL_PACKET
        const int AddMembership = 1; // PACKET_ADD_MEMBERSHIP
        const ushort AllMulticast = 2; // PACKET_MR_ALLMULTI
        Span<byte> request = stackalloc byte[16]; // struct packet_mreq: index, type, address length, address
        request.Clear();
        BitConverter.TryWriteBytes(request, linkIndex);
        BitConverter.TryWriteBytes(request[4..], AllMulticast);
        _socket.SetRawSocketOption(PacketLevel, AddMembership, request);
    }

    /// <summary>struct sockaddr_ll: family, protocol (network order), index, ...; 20 bytes.</summary>
    private sealed class LinkEndPoint(int linkIndex, ushort protocol) : EndPoint
    {
        private const int Bytes = 20;

        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            var address = new SocketAddress(AddressFamily.Packet, Bytes);
            var bytes = address.Buffer.Span;
            BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], protocol);
            BitConverter.TryWriteBytes(bytes[4..], linkIndex);
            return address;
        }
    }
}
