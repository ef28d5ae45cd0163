using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace ContainerMigrate.Storage;

/// <summary>
/// XXH64 (seed 0) over a stream, as specified in xxHash's doc/xxhash_spec.md. Several GB/s on one core, where SHA-256
/// would be what limits a copy; it guards against accidents, not against forgery.
/// </summary>
public sealed class StreamDigest
{
    private const ulong Prime1 = 0x9E3779B185EBCA87;
    private const ulong Prime2 = 0xC2B2AE3D27D4EB4F;
    private const ulong Prime3 = 0x165667B19E3779F9;
    private const ulong Prime4 = 0x85EBCA77C2B2AE63;
    private const ulong Prime5 = 0x27D4EB2F165667C5;
    private const int StripeLength = 32;

    private readonly byte[] _rest = new byte[StripeLength];
    private int _restLength;
    private ulong _lane1 = unchecked(Prime1 + Prime2);
    private ulong _lane2 = Prime2;
    private ulong _lane3;
    private ulong _lane4 = unchecked(0 - Prime1);

    /// <summary>Bytes appended so far.</summary>
    public ulong Length { get; private set; }

    public void Append(ReadOnlySpan<byte> data)
    {
        Length += (ulong)data.Length;
        if (_restLength > 0)
        {
            var taken = Math.Min(StripeLength - _restLength, data.Length);
            data[..taken].CopyTo(_rest.AsSpan(_restLength));
            _restLength += taken;
            data = data[taken..];
            if (_restLength < StripeLength)
            {
                return;
            }

            AppendStripes(_rest);
            _restLength = 0;
        }

        var whole = data.Length & ~(StripeLength - 1);
        AppendStripes(data[..whole]);
        data[whole..].CopyTo(_rest);
        _restLength = data.Length - whole;
    }

    /// <summary>The digest of what was appended so far; more may follow.</summary>
    public ulong GetCurrent()
    {
        unchecked
        {
            var hash = Prime5;
            if (Length >= StripeLength)
            {
                hash = BitOperations.RotateLeft(_lane1, 1) + BitOperations.RotateLeft(_lane2, 7)
                    + BitOperations.RotateLeft(_lane3, 12) + BitOperations.RotateLeft(_lane4, 18);
                hash = Merge(Merge(Merge(Merge(hash, _lane1), _lane2), _lane3), _lane4);
            }

            hash += Length;
            ReadOnlySpan<byte> rest = _rest.AsSpan(0, _restLength);
            for (; rest.Length >= sizeof(ulong); rest = rest[sizeof(ulong)..])
            {
                hash ^= Round(0, BinaryPrimitives.ReadUInt64LittleEndian(rest));
                hash = (BitOperations.RotateLeft(hash, 27) * Prime1) + Prime4;
            }

            if (rest.Length >= sizeof(uint))
            {
                hash ^= BinaryPrimitives.ReadUInt32LittleEndian(rest) * Prime1;
                hash = (BitOperations.RotateLeft(hash, 23) * Prime2) + Prime3;
                rest = rest[sizeof(uint)..];
            }

            foreach (var value in rest)
            {
                hash ^= value * Prime5;
                hash = BitOperations.RotateLeft(hash, 11) * Prime1;
            }

            hash = (hash ^ (hash >> 33)) * Prime2;
            hash = (hash ^ (hash >> 29)) * Prime3;
            return hash ^ (hash >> 32);
        }
    }

    private static ulong Round(ulong lane, ulong input) =>
        unchecked(BitOperations.RotateLeft(lane + (input * Prime2), 31) * Prime1);

    private static ulong Merge(ulong hash, ulong lane) => unchecked(((hash ^ Round(0, lane)) * Prime1) + Prime4);

    // Compiled for this machine before its first use: what is compiled ahead of time calls BinaryPrimitives for each 8 bytes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AppendStripes(ReadOnlySpan<byte> stripes)
    {
        var (lane1, lane2, lane3, lane4) = (_lane1, _lane2, _lane3, _lane4);
        for (; stripes.Length >= StripeLength; stripes = stripes[StripeLength..])
        {
            lane1 = Round(lane1, BinaryPrimitives.ReadUInt64LittleEndian(stripes));
            lane2 = Round(lane2, BinaryPrimitives.ReadUInt64LittleEndian(stripes[8..]));
            lane3 = Round(lane3, BinaryPrimitives.ReadUInt64LittleEndian(stripes[16..]));
            lane4 = Round(lane4, BinaryPrimitives.ReadUInt64LittleEndian(stripes[24..]));
        }

        (_lane1, _lane2, _lane3, _lane4) = (lane1, lane2, lane3, lane4);
    }
}
