namespace ContainerMigrate.Linux.Criu;

/// <summary>One field of a protobuf message, as far as CRIU's images use them (protobuf.dev/programming-guides/encoding).</summary>
internal readonly ref struct ProtobufField
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;
    private const int MaxVarintBytes = 10;

    public int Number { get; private init; }

    /// <summary>The value of an integer; 0 for everything else.</summary>
    public ulong Value { get; private init; }

    /// <summary>The bytes of a text or message; empty for everything else.</summary>
    public ReadOnlySpan<byte> Content { get; private init; }

    /// <summary>Tag and value as they are written.</summary>
    public ReadOnlySpan<byte> Encoded { get; private init; }

    /// <summary>Takes the first field from a message.</summary>
    /// <returns>False at the message's end.</returns>
    /// <exception cref="InvalidDataException">It is not a message.</exception>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> message, out ProtobufField field)
    {
        field = default;
        if (message.IsEmpty)
        {
            return false;
        }

        var rest = message;
        var tag = TakeVarint(ref rest);
        var value = 0UL;
        ReadOnlySpan<byte> content = default;
        switch (tag & 7)
        {
            case Varint:
                value = TakeVarint(ref rest);
                break;
            case LengthDelimited:
                content = Take(ref rest, TakeVarint(ref rest));
                break;
            case Fixed64:
                Take(ref rest, sizeof(ulong));
                break;
            case Fixed32:
                Take(ref rest, sizeof(uint));
                break;
            default:
                throw new InvalidDataException($"field of unknown kind {tag & 7}");
        }

        field = new ProtobufField { Number = (int)(tag >> 3), Value = value, Content = content, Encoded = message[..^rest.Length] };
        message = rest;
        return true;
    }

    /// <summary>Appends an integer field.</summary>
    public static void Write(List<byte> message, int number, ulong value)
    {
        WriteVarint(message, ((uint)number << 3) | Varint);
        WriteVarint(message, value);
    }

    /// <summary>Appends a text or message.</summary>
    public static void Write(List<byte> message, int number, ReadOnlySpan<byte> content)
    {
        WriteVarint(message, ((uint)number << 3) | LengthDelimited);
        WriteVarint(message, (ulong)content.Length);
        message.AddRange(content);
    }

    private static void WriteVarint(List<byte> message, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            message.Add((byte)(value | 0x80));
        }

        message.Add((byte)value);
    }

    private static ulong TakeVarint(scoped ref ReadOnlySpan<byte> bytes)
    {
        var value = 0UL;
        for (var i = 0; i < MaxVarintBytes && i < bytes.Length; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return value;
            }
        }

        throw new InvalidDataException("a number has no end");
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> bytes, ulong length)
    {
        if (length > (ulong)bytes.Length)
        {
            throw new InvalidDataException("a field is longer than its message");
        }

        var taken = bytes[..(int)length];
        bytes = bytes[(int)length..];
        return taken;
    }
}
