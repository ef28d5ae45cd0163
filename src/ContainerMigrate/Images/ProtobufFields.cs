namespace ContainerMigrate.Images;

/// <summary>
/// Walks the fields of one protobuf message, as far as CRIU's pagemaps need it: numbers are given, everything else is skipped. By hand
/// and not with Google.Protobuf, because there may be millions of messages of four numbers each, all of them from a peer: this
/// allocates nothing, and every length is checked in the few lines below.
/// </summary>
/// <param name="message">The whole message.</param>
internal ref struct ProtobufFields(ReadOnlySpan<byte> message)
{
    private const int VariableLength = 0; // wire types of protobuf's encoding
    private const int EightBytes = 1;
    private const int LengthDelimited = 2;
    private const int FourBytes = 5;

    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Number of the field that <see cref="MoveNext"/> found.</summary>
    public int Number { get; private set; }

    /// <summary>Its value.</summary>
    public ulong Value { get; private set; }

    /// <summary>Goes to the next field that is a number of variable length.</summary>
    /// <exception cref="InvalidDataException">It is no protobuf message.</exception>
    public bool MoveNext()
    {
        while (!_rest.IsEmpty)
        {
            var tag = ReadNumber();
            if (tag >> 3 is 0 or > 0x1FFF_FFFF)
            {
                throw new InvalidDataException("pagemap: a field without a number");
            }

            Number = (int)(tag >> 3);
            switch ((int)tag & 7)
            {
                case VariableLength:
                    Value = ReadNumber();
                    return true;
                case EightBytes:
                    Skip(sizeof(ulong));
                    break;
                case LengthDelimited:
                    Skip(ReadNumber());
                    break;
                case FourBytes:
                    Skip(sizeof(uint));
                    break;
                default:
                    throw new InvalidDataException($"pagemap: field {Number} has the unknown type {tag & 7}");
            }
        }

        return false;
    }

    private ulong ReadNumber()
    {
        const int MaxBytes = 10;
        var number = 0UL;
        for (var i = 0; i < Math.Min(MaxBytes, _rest.Length); i++)
        {
            var value = _rest[i];
            if (i == MaxBytes - 1 && value > 1)
            {
                break; // more than 64 bits
            }

            number |= (ulong)(value & 0x7F) << (7 * i);
            if (value < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return number;
            }
        }

        throw new InvalidDataException("pagemap: a number that does not end");
    }

    private void Skip(ulong count) =>
        _rest = count <= (ulong)_rest.Length ? _rest[(int)count..] : throw new InvalidDataException("pagemap: a field that is longer than its message");
}
