using System.Buffers.Binary;
using System.Text;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Writes nf_tables netlink messages (linux/netfilter/nf_tables.h): a batch is one transaction, carried out whole or not
/// at all. Netlink headers are in host order, nf_tables numbers in network order; everything is aligned to 4 bytes.
/// </summary>
internal sealed class NfTablesRequest
{
    internal const byte FamilyInet = 1; // NFPROTO_INET
    internal const byte FamilyArp = 3; // NFPROTO_ARP

    private const int HeaderBytes = 16; // struct nlmsghdr
    internal const int FamilyHeaderBytes = 4; // struct nfgenmsg
    internal const ushort NewChainType = (Subsystem << 8) | 3; // NFT_MSG_NEWCHAIN
    internal const ushort ChainPolicy = 5; // NFTA_CHAIN_POLICY
    internal const uint Drop = 0; // NF_DROP

    private const ushort Subsystem = 10; // NFNL_SUBSYS_NFTABLES
    private const ushort BatchBegin = 0x10; // NFNL_MSG_BATCH_BEGIN
    private const ushort BatchEnd = 0x11; // NFNL_MSG_BATCH_END
    private const ushort NewTable = (Subsystem << 8) | 0;
    private const ushort DeleteTableType = (Subsystem << 8) | 2;
    private const ushort GetChainType = (Subsystem << 8) | 4;
    private const ushort DeleteRule = (Subsystem << 8) | 8; // NFT_MSG_DELRULE
    private const ushort Request = 0x001; // NLM_F_REQUEST
    private const ushort Acknowledge = 0x004; // NLM_F_ACK
    private const ushort Create = 0x400; // NLM_F_CREATE
    private const ushort Nested = 0x8000; // NLA_F_NESTED

    private readonly List<byte> _bytes = [];
    private uint _sequence;
    private int _message;

    internal ReadOnlySpan<byte> Bytes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);

    /// <summary>How many answers the kernel owes: one for each message but the batch's frame.</summary>
    internal int ExpectedAnswers { get; private set; }

    internal NfTablesRequest Begin() => Frame(BatchBegin);

    internal NfTablesRequest End() => Frame(BatchEnd);

    /// <summary>Makes a table, or leaves it as it is when there is one.</summary>
    internal NfTablesRequest AddTable(byte family, string table)
    {
        Start(NewTable, Request | Create | Acknowledge, family);
        Text(1, table); // NFTA_TABLE_NAME
        return Finish();
    }

    /// <summary>Removes a table with all in it.</summary>
    internal NfTablesRequest DeleteTable(byte family, string table)
    {
        Start(DeleteTableType, Request | Acknowledge, family);
        Text(1, table); // NFTA_TABLE_NAME
        return Finish();
    }

    /// <summary>Removes all rules from all chains of a table.</summary>
    internal NfTablesRequest FlushTable(byte family, string table)
    {
        Start(DeleteRule, Request | Acknowledge, family);
        Text(1, table); // NFTA_RULE_TABLE
        return Finish();
    }

    /// <summary>Makes a base chain of type filter without rules: its policy decides over every packet of the hook.</summary>
    internal NfTablesRequest AddFilterChain(byte family, string table, string chain, uint hook, int priority, uint policy)
    {
        Start(NewChainType, Request | Create | Acknowledge, family);
        Text(1, table); // NFTA_CHAIN_TABLE
        Text(3, chain); // NFTA_CHAIN_NAME
        var nest = _bytes.Count;
        Attribute(4 | Nested, 0); // NFTA_CHAIN_HOOK
        Number(1, hook); // NFTA_HOOK_HOOKNUM
        Number(2, unchecked((uint)priority)); // NFTA_HOOK_PRIORITY
        SetLength(nest);
        Number(ChainPolicy, policy);
        Text(7, "filter"); // NFTA_CHAIN_TYPE
        return Finish();
    }

    /// <summary>Asks for a chain; answered with <see cref="NewChainType"/> or an error. Stands alone, in no batch.</summary>
    internal NfTablesRequest GetChain(byte family, string table, string chain)
    {
        Start(GetChainType, Request, family);
        Text(1, table);
        Text(3, chain);
        return Finish();
    }

    private NfTablesRequest Frame(ushort type)
    {
        Start(type, Request, 0, Subsystem);
        return Finish(answered: false);
    }

    private void Start(ushort type, int flags, byte family, ushort resource = 0)
    {
        _message = _bytes.Count;
        Span<byte> header = stackalloc byte[HeaderBytes + FamilyHeaderBytes];
        header.Clear();
        BitConverter.TryWriteBytes(header[4..], type);
        BitConverter.TryWriteBytes(header[6..], (ushort)flags);
        BitConverter.TryWriteBytes(header[8..], ++_sequence);
        header[16] = family;
        BinaryPrimitives.WriteUInt16BigEndian(header[18..], resource);
        _bytes.AddRange(header);
    }

    private NfTablesRequest Finish(bool answered = true)
    {
        BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[_message..], (uint)(_bytes.Count - _message));
        ExpectedAnswers += answered ? 1 : 0;
        return this;
    }

    private void Text(int type, string value)
    {
        Attribute(type, value.Length + 1);
        _bytes.AddRange(Encoding.ASCII.GetBytes(value));
        _bytes.Add(0);
        while (_bytes.Count % 4 != 0)
        {
            _bytes.Add(0);
        }
    }

    private void Number(int type, uint value)
    {
        Attribute(type, sizeof(uint));
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        _bytes.AddRange(bytes);
    }

    private void Attribute(int type, int payload)
    {
        Span<byte> header = stackalloc byte[4]; // struct nlattr
        BitConverter.TryWriteBytes(header, (ushort)(payload + 4));
        BitConverter.TryWriteBytes(header[2..], (ushort)type);
        _bytes.AddRange(header);
    }

    private void SetLength(int attribute) =>
        BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[attribute..], (ushort)(_bytes.Count - attribute));
}
