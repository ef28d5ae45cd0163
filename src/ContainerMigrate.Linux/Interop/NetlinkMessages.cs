namespace ContainerMigrate.Linux.Interop;

/// <summary>Walks the messages of a netlink datagram; stops at what does not fit.</summary>
internal ref struct NetlinkMessages(ReadOnlySpan<byte> datagram)
{
    private const int HeaderBytes = 16; // struct nlmsghdr: length, type, flags, sequence, port

    private ReadOnlySpan<byte> _rest = datagram;

    public NetlinkMessage Current { get; private set; }

    public readonly NetlinkMessages GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.Length < HeaderBytes || BitConverter.ToUInt32(_rest) is var length && (length < HeaderBytes || length > _rest.Length))
        {
            return false;
        }

        Current = new NetlinkMessage(BitConverter.ToUInt16(_rest[4..]), BitConverter.ToUInt16(_rest[6..]), _rest[HeaderBytes..(int)length]);
        _rest = _rest[Math.Min(_rest.Length, ((int)length + 3) & ~3)..];
        return true;
    }
}

/// <summary>One message without its header.</summary>
internal readonly ref struct NetlinkMessage(ushort type, ushort flags, ReadOnlySpan<byte> payload)
{
    private const ushort ErrorType = 2; // NLMSG_ERROR, which is also the acknowledgement
    private const ushort DoneType = 3; // NLMSG_DONE
    private const ushort InterruptedFlag = 0x10; // NLM_F_DUMP_INTR
    private const int AttributeHeaderBytes = 4; // struct nlattr: length with header, type
    private const ushort TypeMask = 0x3FFF; // NLA_TYPE_MASK

    internal ushort Type => type;

    internal ReadOnlySpan<byte> Payload { get; } = payload;

    /// <summary>The end of a dump.</summary>
    internal bool IsDone => type == DoneType;

    /// <summary>What was dumped changed meanwhile: entries may be missing.</summary>
    internal bool IsInterrupted => (flags & InterruptedFlag) != 0;

    /// <summary>For an answer of type error: the error number, 0 for an acknowledgement; else null.</summary>
    internal int? Error => type == ErrorType && Payload.Length >= sizeof(int) ? -BitConverter.ToInt32(Payload) : null;

    /// <summary>The value of an attribute; empty when it is not there.</summary>
    /// <param name="skip">Bytes of the family's own header before the attributes.</param>
    /// <param name="attribute">Its type.</param>
    internal ReadOnlySpan<byte> FindAttribute(int skip, ushort attribute) =>
        FindAttribute(Payload[Math.Min(skip, Payload.Length)..], attribute);

    /// <summary>The value of an attribute among <paramref name="attributes"/>, such as another attribute's value; empty when it is not there.</summary>
    internal static ReadOnlySpan<byte> FindAttribute(ReadOnlySpan<byte> attributes, ushort attribute)
    {
        var rest = attributes;
        while (rest.Length >= AttributeHeaderBytes)
        {
            int length = BitConverter.ToUInt16(rest);
            if (length < AttributeHeaderBytes || length > rest.Length)
            {
                break;
            }

            if ((BitConverter.ToUInt16(rest[2..]) & TypeMask) == attribute)
            {
                return rest[AttributeHeaderBytes..length];
            }

            rest = rest[Math.Min(rest.Length, (length + 3) & ~3)..];
        }

        return [];
    }
}
