using System.Buffers.Binary;
using ContainerMigrate.Images;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Images;

/// <summary>A pagemap comes from a peer: what cannot be is refused with its reason, and nothing is believed about lengths.</summary>
public sealed class HostilePagemapTests
{
    private static readonly PagemapImage Good = new(7, PagemapLayout.Wide, [Entry(0x1000, 3), Entry(0x8000, 1UL << 40)]);

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        foreach (var layout in new[] { PagemapLayout.Wide, PagemapLayout.Compatible })
        {
            var image = Good with { Layout = layout, Entries = [Entry(0x1000, 3), Entry(0x7fff_0000_0000, 5, PagemapMarks.Lazy), Entry(0x7fff_ffff_0000, 1, PagemapMarks.Parent)] };
            var read = PagemapReader.Read(new MemoryStream(Bytes(image)));
            read.PagesId.ShouldBe(7u);
            read.Layout.ShouldBe(layout);
            read.Entries.ShouldBe(image.Entries);
        }
    }

    [Fact]
    public void MorePagesThan32BitsHoldAreCutForOldReaders()
    {
        var read = PagemapReader.Read(new MemoryStream(Bytes(Good with { Layout = PagemapLayout.Compatible })));
        read.Entries.Count.ShouldBe(1 + 257); // 2^40 / (2^32 - 1), rounded up
        read.CountPages(PagemapMarks.Present).ShouldBe(3 + (1UL << 40));
    }

    [Fact]
    public void EntriesWithoutFlagsAreOnesOfOldVersions()
    {
        var read = PagemapReader.Read(new MemoryStream([.. Head(), .. Message([0x08, 0x80, 0x20, 0x10, 1]), .. Message([0x08, 0x80, 0x40, 0x10, 1, 0x18, 1])]));
        read.Entries.ShouldBe([Entry(0x1000, 1), Entry(0x2000, 1, PagemapMarks.Parent)]);
    }

    [Fact]
    public void UnknownFieldsAreSkipped()
    {
        byte[] unknown = [0x08, 0x80, 0x20, 0x10, 1, 0x3a, 2, 9, 9, 0x41, 1, 2, 3, 4, 5, 6, 7, 8, 0x4d, 1, 2, 3, 4, 0x50, 5];
        PagemapReader.Read(new MemoryStream([.. Head(), .. Message(unknown)])).Entries.ShouldBe([Entry(0x1000, 1)]);
    }

    [Fact]
    public void EveryTruncationIsRefusedButBetweenEntries()
    {
        var bytes = Bytes(Good with { Entries = [Entry(0x1000, 3)] });
        var head = Head().Length;
        for (var length = 0; length < bytes.Length; length++)
        {
            if (length != head)
            {
                Refused(bytes[..length]);
            }
        }
    }

    [Fact]
    public void EveryChangedBitIsRefusedOrHarmless()
    {
        var bytes = Bytes(Good);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                PagemapReader.Read(new MemoryStream(changed)).Entries.ShouldAllBe(e => e.Range.IsValid);
            }
            catch (InvalidDataException)
            {
                // also right
            }
        }
    }

    [Theory]
    [InlineData("08 81 20 10 01")] // not aligned
    [InlineData("08 80 20 10 00")] // no pages
    [InlineData("08 80 20")] // no count
    [InlineData("10 01")] // no address
    [InlineData("08 80 20 10 01 20 08")] // an unknown flag
    [InlineData("08 80 20 10 80 80 80 80 10")] // more than 32 bits in a field of 32
    [InlineData("08 80 80 80 80 80 80 80 80 02 10 01")] // above all addresses
    [InlineData("08 80 20 10 00 28 ff ff ff ff ff ff ff ff ff 01")] // more pages than there are addresses
    [InlineData("08 ff ff ff ff ff ff ff ff ff ff 01 10 01")] // a number of more than 64 bits
    [InlineData("08 80")] // a number that does not end
    [InlineData("0b 10 01")] // a group, which is no type any more
    [InlineData("3a 7f 00")] // longer than its message
    [InlineData("00 01")] // field 0
    public void EntriesThatCannotBe(string hex) => Refused([.. Head(), .. Message(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)))]);

    [Fact]
    public void EntriesOutOfOrder()
    {
        Refused(Bytes(Good with { Entries = [Entry(0x2000, 1), Entry(0x1000, 1)] }));
        Refused(Bytes(Good with { Entries = [Entry(0x1000, 2), Entry(0x2000, 1)] }));
    }

    [Fact]
    public void TwoLayoutsInOneImage() =>
        Refused([.. Bytes(Good with { Entries = [Entry(0x1000, 1)] }), .. Message([0x08, 0x80, 0x40, 0x10, 1])]);

    [Fact]
    public void AMessageOfFourGigabytes() => Refused([.. Head(), 0xff, 0xff, 0xff, 0xff]);

    [Fact]
    public void AHeadWithoutAPageFile() => Refused([.. Head()[..8], .. Message([])]);

    [Fact]
    public void AnotherKindOfImage()
    {
        var bytes = Bytes(Good);
        bytes[4] ^= 1;
        Refused(bytes);
    }

    private static void Refused(byte[] bytes) => Should.Throw<InvalidDataException>(() => PagemapReader.Read(new MemoryStream(bytes))).Message.ShouldStartWith("pagemap: ");

    private static PagemapEntry Entry(ulong address, ulong count, PagemapMarks marks = PagemapMarks.Present) => new(new PageRange(address, count), marks);

    private static byte[] Bytes(PagemapImage image)
    {
        using var stream = new MemoryStream();
        PagemapWriter.Write(image, stream);
        return stream.ToArray();
    }

    private static byte[] Head() => Bytes(Good with { Entries = [] });

    private static byte[] Message(byte[] content)
    {
        var message = new byte[sizeof(uint) + content.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, content.Length);
        content.CopyTo(message, sizeof(uint));
        return message;
    }
}
