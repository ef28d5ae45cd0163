using System.Buffers.Binary;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Network;

/// <summary>Talks to nf_tables over netlink, in the network namespace of the calling thread. nft(8) would do the same in 10-20 ms more.</summary>
internal static class NfTables
{
    private const int BufferBytes = 32 * 1024; // a page is enough for one answer; several may come in one datagram

    /// <summary>Carries out a batch.</summary>
    /// <returns>0, or the error number for which the kernel refused all of it.</returns>
    internal static int Execute(NfTablesRequest batch)
    {
        var socket = new NetlinkSocket(NetlinkSocket.Netfilter);
        try
        {
            socket.Send(batch.Bytes);
            return ReadAnswers(socket, batch.ExpectedAnswers);
        }
        finally
        {
            // After a deletion, closing waits 5-15 ms until the kernel has freed it all (nft_rcv_nl_event): nobody's pause needs that.
            ThreadPool.UnsafeQueueUserWorkItem(static s => s.Dispose(), socket, preferLocal: false);
        }
    }

    private static int ReadAnswers(NetlinkSocket socket, int expected)
    {
        var buffer = new byte[BufferBytes];
        var answers = 0;
        while (answers < expected)
        {
            var received = socket.Receive(buffer);
            if (received.IsEmpty)
            {
                throw new IOException($"nf_tables answered {answers} of {expected} messages");
            }

            foreach (var message in new NetlinkMessages(received))
            {
                if (message.Error is { } error and not 0)
                {
                    return error;
                }

                answers++;
            }
        }

        return 0;
    }

    /// <summary>The policy of a base chain (NF_DROP 0, NF_ACCEPT 1); null when there is no such chain.</summary>
    internal static uint? ReadPolicy(byte family, string table, string chain)
    {
        using var socket = new NetlinkSocket(NetlinkSocket.Netfilter);
        socket.Send(new NfTablesRequest().GetChain(family, table, chain).Bytes);
        foreach (var message in new NetlinkMessages(socket.Receive(new byte[BufferBytes])))
        {
            if (message.Error is { } error)
            {
                return error is Errno.NoEntry ? null : throw Errno.Exception("asking nf_tables for a chain", error);
            }

            if (message.Type == NfTablesRequest.NewChainType
                && message.FindAttribute(NfTablesRequest.FamilyHeaderBytes, NfTablesRequest.ChainPolicy) is { Length: sizeof(uint) } policy)
            {
                return BinaryPrimitives.ReadUInt32BigEndian(policy);
            }
        }

        return null;
    }
}
