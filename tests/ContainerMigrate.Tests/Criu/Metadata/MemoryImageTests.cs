using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Linux.Criu.Metadata;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu.Metadata;

public sealed class MemoryImageTests
{
    private static readonly AddressRange Range = new(0x10000, 0x13000);

    [Theory]
    [InlineData(0x22, 0x201, true, true)] // private anonymous
    [InlineData(0x122, 0x201, true, true)] // a stack that grows
    [InlineData(0x2022, 0x201, true, false)] // locked
    [InlineData(0x40022, 0x201, true, false)] // huge pages
    [InlineData(0x02, 0x41, true, false)] // private, of a file
    [InlineData(0x01, 0x81, false, false)] // shared, of a file
    [InlineData(0x21, 0x101, false, false)] // shared anonymous
    [InlineData(0x22, 0x209, true, false)] // vDSO
    [InlineData(0x22, 0x1201, true, false)] // vvar
    [InlineData(0x28, 0x201, false, false)] // MAP_DROPPABLE
    [InlineData(0x00, 0x10000, false, false)] // guard pages
    public void KnowsWhatIsDumpedAndWhatIsLazy(uint flags, uint status, bool isDumped, bool isLazy)
    {
        var image = MemoryImage.Parse(Message(Range.Start, Range.End, flags, status));

        image.Dumped.Overlaps(Range).ShouldBe(isDumped);
        image.Lazy.Overlaps(Range).ShouldBe(isLazy);
    }

    [Theory]
    [InlineData(0x10000, 0x10000)]
    [InlineData(0x11000, 0x10000)]
    [InlineData(0x10001, 0x12000)]
    public void RefusesMappingsThatCannotBe(ulong start, ulong end) =>
        Should.Throw<InvalidDataException>(() => MemoryImage.Parse(Message(start, end, 0x22, 0x201)));

    [Fact]
    public void RefusesAnImageThatIsCutOff()
    {
        var directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            var message = Message(Range.Start, Range.End, 0x22, 0x201);
            byte[] image = [.. BitConverter.GetBytes(0x54564319), .. BitConverter.GetBytes(0x57492820), .. BitConverter.GetBytes(message.Length), .. message];
            var path = Path.Combine(directory, "mm-7.img");
            File.WriteAllBytes(path, image);
            MemoryImage.Read(directory, 7).Lazy.PageCount.ShouldBe(3);

            File.WriteAllBytes(path, image[..^1]);
            Should.Throw<InvalidDataException>(() => MemoryImage.Read(directory, 7));
            File.WriteAllBytes(path, image[..5]);
            Should.Throw<InvalidDataException>(() => MemoryImage.Read(directory, 7));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static byte[] Message(ulong start, ulong end, uint flags, uint status)
    {
        List<byte> mapping = [];
        ProtobufField.Write(mapping, 1, start);
        ProtobufField.Write(mapping, 2, end);
        ProtobufField.Write(mapping, 5, 3);
        ProtobufField.Write(mapping, 6, flags);
        ProtobufField.Write(mapping, 7, status);
        List<byte> message = [];
        ProtobufField.Write(message, 12, 4);
        ProtobufField.Write(message, 14, [.. mapping]);
        return [.. message];
    }
}
