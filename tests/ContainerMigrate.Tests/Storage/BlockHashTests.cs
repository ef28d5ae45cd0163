using System.Numerics;
using System.Security.Cryptography;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class BlockHashTests
{
    private static readonly byte[] Seed = [.. Enumerable.Range(0, BlockHash.SeedLength).Select(i => (byte)i)];
    private readonly BlockHash _hash = new(Seed);

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(100)]
    [InlineData(4096)]
    [InlineData(8191)]
    [InlineData(8192)]
    public void IsTheSumOfProductsThatItIsDefinedAs(int length)
    {
        var content = Random(length);
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA512, Seed, BlockHash.MaxLength + 16, [], "ctmigrate blocks"u8.ToArray());

        _hash.Of(content).ShouldBe(new UInt128(Row(content, key), Row(content, key[16..])));
    }

    [Fact]
    public void EveryBitCounts()
    {
        var content = Random(BlockHash.MaxLength);
        var seen = new HashSet<UInt128> { _hash.Of(content) };
        for (var bit = 0; bit < 8 * content.Length; bit++)
        {
            content[bit / 8] ^= (byte)(1 << (bit % 8));
            seen.Add(_hash.Of(content)).ShouldBeTrue($"bit {bit}");
            content[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void LengthAndPlaceCount()
    {
        var content = new byte[BlockHash.MaxLength];
        var seen = new HashSet<UInt128>();
        for (var length = 0; length <= content.Length; length++)
        {
            seen.Add(_hash.Of(content.AsSpan(0, length))).ShouldBeTrue($"{length} zeros");
        }

        for (var place = 0; place < content.Length; place += sizeof(uint))
        {
            content[place] = 1;
            seen.Add(_hash.Of(content)).ShouldBeTrue($"a one at {place}");
            content[place] = 0;
        }
    }

    [Fact]
    public void AnotherSeedMakesOtherDigests()
    {
        var content = Random(BlockHash.MaxLength);
        new BlockHash(Random(BlockHash.SeedLength)).Of(content).ShouldNotBe(_hash.Of(content));
        new BlockHash(Seed).Of(content).ShouldBe(_hash.Of(content), "both hosts have to agree");
    }

    private static byte[] Random(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private static ulong Row(byte[] content, byte[] key)
    {
        byte[] padded = [.. content, .. new byte[31]];
        var sum = new BigInteger(content.Length);
        for (var i = 0; i < (content.Length + 31) / 32 * 32; i += 8)
        {
            sum += new BigInteger(unchecked(BitConverter.ToUInt32(padded, i) + BitConverter.ToUInt32(key, i))) * unchecked(BitConverter.ToUInt32(padded, i + 4) + BitConverter.ToUInt32(key, i + 4));
        }

        return (ulong)(sum % (BigInteger.One << 64));
    }
}
