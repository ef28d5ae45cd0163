using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace ContainerMigrate.Memory;

/// <summary>One bit for each page of a slab.</summary>
[InlineArray(Words)]
public struct PageBits
{
    private const int Words = PageSlab.Pages / BitsOfWord;
    private const int BitsOfWord = 64;

    /// <summary>As <see cref="Write"/> writes it.</summary>
    public const int Bytes = PageSlab.Pages / 8;

    private ulong _first;

    public readonly bool IsEmpty => !((ReadOnlySpan<ulong>)this).ContainsAnyExcept(0UL);

    public readonly int Count
    {
        get
        {
            var count = 0;
            foreach (var word in this)
            {
                count += BitOperations.PopCount(word);
            }

            return count;
        }
    }

    /// <summary>A row of ones.</summary>
    public static PageBits Of(int first, int count)
    {
        var bits = default(PageBits);
        for (var word = first / BitsOfWord; word * BitsOfWord < first + count; word++)
        {
            var from = Math.Max(first - (word * BitsOfWord), 0);
            var to = Math.Min(first + count - (word * BitsOfWord), BitsOfWord);
            bits[word] = (ulong.MaxValue >> (BitsOfWord - (to - from))) << from;
        }

        return bits;
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    public static PageBits Read(ReadOnlySpan<byte> source)
    {
        var bits = default(PageBits);
        for (var word = 0; word < Words; word++)
        {
            bits[word] = BinaryPrimitives.ReadUInt64LittleEndian(source[(word * sizeof(ulong))..]);
        }

        return bits;
    }

    /// <summary>Little endian, the first page in the lowest bit.</summary>
    public readonly void Write(Span<byte> destination)
    {
        for (var word = 0; word < Words; word++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(destination[(word * sizeof(ulong))..], this[word]);
        }
    }

    public static PageBits operator |(PageBits left, PageBits right) => BitwiseOr(left, right);

    public static PageBits operator &(PageBits left, PageBits right) => BitwiseAnd(left, right);

    public static PageBits BitwiseOr(PageBits left, PageBits right)
    {
        for (var i = 0; i < Words; i++)
        {
            left[i] |= right[i];
        }

        return left;
    }

    public static PageBits BitwiseAnd(PageBits left, PageBits right)
    {
        for (var i = 0; i < Words; i++)
        {
            left[i] &= right[i];
        }

        return left;
    }

    /// <summary>These, less those that are in the other too.</summary>
    public readonly PageBits Without(in PageBits other)
    {
        var bits = this;
        for (var i = 0; i < Words; i++)
        {
            bits[i] &= ~other[i];
        }

        return bits;
    }

    public readonly bool Contains(int page) => (this[page / BitsOfWord] >> (page % BitsOfWord) & 1) != 0;

    /// <summary>The first row of ones at or after a page.</summary>
    /// <returns>False when there is none.</returns>
    public readonly bool TryFindRun(int from, out int first, out int count)
    {
        first = Next(from, ones: true);
        count = first < PageSlab.Pages ? Next(first, ones: false) - first : 0;
        return count > 0;
    }

    private readonly int Next(int from, bool ones)
    {
        for (var word = from / BitsOfWord; word < Words; word++, from = word * BitsOfWord)
        {
            var bits = (ones ? this[word] : ~this[word]) & (ulong.MaxValue << (from % BitsOfWord));
            if (bits != 0)
            {
                return (word * BitsOfWord) + BitOperations.TrailingZeroCount(bits);
            }
        }

        return PageSlab.Pages;
    }
}
