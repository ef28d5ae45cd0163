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
    private const int AttributeHeaderBytes = 4; // struct nlattr
    private const int Register = 1; // NFT_REG_1
    internal const int FamilyHeaderBytes = 4; // struct nfgenmsg
    internal const ushort NewChainType = (Subsystem << 8) | 3; // NFT_MSG_NEWCHAIN
    internal const ushort ChainPolicy = 5; // NFTA_CHAIN_POLICY
    internal const uint Drop = 0; // NF_DROP
    internal const uint Accept = 1; // NF_ACCEPT

    private const ushort Subsystem = 10; // NFNL_SUBSYS_NFTABLES
    private const ushort BatchBegin = 0x10; // NFNL_MSG_BATCH_BEGIN
    private const ushort BatchEnd = 0x11; // NFNL_MSG_BATCH_END
    private const ushort NewTable = (Subsystem << 8) | 0;
    private const ushort DeleteTableType = (Subsystem << 8) | 2;
    private const ushort GetChainType = (Subsystem << 8) | 4;
    private const ushort NewRule = (Subsystem << 8) | 6; // NFT_MSG_NEWRULE
    private const ushort DeleteRule = (Subsystem << 8) | 8; // NFT_MSG_DELRULE
    private const ushort Request = 0x001; // NLM_F_REQUEST
    private const ushort Acknowledge = 0x004; // NLM_F_ACK
    private const ushort Create = 0x400; // NLM_F_CREATE
    private const ushort AtTheEnd = 0x800; // NLM_F_APPEND
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

    /// <summary>Removes all rules from a chain, which must be there.</summary>
    internal NfTablesRequest FlushChain(byte family, string table, string chain)
    {
        Start(DeleteRule, Request | Acknowledge, family);
        Text(1, table); // NFTA_RULE_TABLE
        Text(2, chain); // NFTA_RULE_CHAIN
        return Finish();
    }

    /// <summary>Makes a base chain of type filter without rules: its policy decides over every packet of the hook.</summary>
    internal NfTablesRequest AddFilterChain(byte family, string table, string chain, uint hook, int priority, uint policy)
    {
        Start(NewChainType, Request | Create | Acknowledge, family);
        Text(1, table); // NFTA_CHAIN_TABLE
        Text(3, chain); // NFTA_CHAIN_NAME
        var nest = Open(4); // NFTA_CHAIN_HOOK
        Number(1, hook); // NFTA_HOOK_HOOKNUM
        Number(2, unchecked((uint)priority)); // NFTA_HOOK_PRIORITY
        Close(nest);
        Number(ChainPolicy, policy);
        Text(7, "filter"); // NFTA_CHAIN_TYPE
        return Finish();
    }

    /// <summary>
    /// Appends a rule: what an Ethernet link received is copied to a group of nfnetlink_log and dropped, but for frames from one address.
    /// </summary>
    /// <param name="echoOfIPv6">The rule is for ICMPv6 echo requests; otherwise for everything but ICMPv6, whose neighbour discovery must work.</param>
    internal NfTablesRequest AddLoggedDrop(byte family, string table, string chain, MacAddress notFrom, ushort group, bool echoOfIPv6)
    {
        const ushort ReceivedThroughType = 8, Layer4Protocol = 16; // NFT_META_IIFTYPE, NFT_META_L4PROTO
        const ushort Ethernet = 1; // ARPHRD_ETHER, in host order
        const int LinkLayer = 0, TransportLayer = 2; // NFT_PAYLOAD_LL_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER
        const byte IcmpOfIPv6 = 58, EchoRequest = 128;
        Start(NewRule, Request | Create | AtTheEnd | Acknowledge, family);
        Text(1, table); // NFTA_RULE_TABLE
        Text(2, chain); // NFTA_RULE_CHAIN
        Span<byte> address = stackalloc byte[MacAddress.Size];
        notFrom.Write(address);
        var list = Open(4); // NFTA_RULE_EXPRESSIONS
        Expression("meta", (2, ReceivedThroughType), (1, Register)); // NFTA_META_KEY, NFTA_META_DREG
        Compare(equal: true, BitConverter.GetBytes(Ethernet));
        Expression("payload", (1, Register), (2, LinkLayer), (3, MacAddress.Size), (4, MacAddress.Size)); // NFTA_PAYLOAD_DREG, _BASE, _OFFSET, _LEN
        Compare(equal: false, address);
        Expression("meta", (2, Layer4Protocol), (1, Register));
        Compare(equal: echoOfIPv6, [IcmpOfIPv6]);
        if (echoOfIPv6)
        {
            Expression("payload", (1, Register), (2, TransportLayer), (3, 0), (4, 1));
            Compare(equal: true, [EchoRequest]);
        }

        var log = OpenExpression("log", out var where);
        Attribute(1, [(byte)(group >> 8), (byte)group]); // NFTA_LOG_GROUP
        Close(where, log);
        var expression = OpenExpression("immediate", out var data);
        Number(1, 0); // NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT
        var value = Open(2); // NFTA_IMMEDIATE_DATA
        var decision = Open(2); // NFTA_DATA_VERDICT
        Number(1, Drop); // NFTA_VERDICT_CODE
        Close(decision, value, data, expression, list);
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
        Align();
    }

    private void Align()
    {
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

    private void Attribute(int type, ReadOnlySpan<byte> value)
    {
        Attribute(type, value.Length);
        _bytes.AddRange(value);
        Align();
    }

    private void Attribute(int type, int payload)
    {
        Span<byte> header = stackalloc byte[AttributeHeaderBytes];
        BitConverter.TryWriteBytes(header, (ushort)(payload + 4));
        BitConverter.TryWriteBytes(header[2..], (ushort)type);
        _bytes.AddRange(header);
    }

    private int Open(int type)
    {
        Attribute(type | Nested, 0);
        return _bytes.Count - AttributeHeaderBytes;
    }

    private void Close(params ReadOnlySpan<int> attributes)
    {
        foreach (var attribute in attributes)
        {
            BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[attribute..], (ushort)(_bytes.Count - attribute));
        }
    }

    private int OpenExpression(string name, out int data)
    {
        var expression = Open(1); // NFTA_LIST_ELEM
        Text(1, name); // NFTA_EXPR_NAME
        data = Open(2); // NFTA_EXPR_DATA
        return expression;
    }

    private void Expression(string name, params ReadOnlySpan<(int Attribute, int Value)> numbers)
    {
        var expression = OpenExpression(name, out var data);
        foreach (var (attribute, value) in numbers)
        {
            Number(attribute, (uint)value);
        }

        Close(data, expression);
    }

    private void Compare(bool equal, ReadOnlySpan<byte> value)
    {
        var expression = OpenExpression("cmp", out var data);
        Number(1, Register); // NFTA_CMP_SREG
        Number(2, equal ? 0u : 1); // NFTA_CMP_OP: NFT_CMP_EQ, NFT_CMP_NEQ
        var nest = Open(3); // NFTA_CMP_DATA
        Attribute(1, value); // NFTA_DATA_VALUE
        Close(nest, data, expression);
    }
}
