using System.Buffers.Binary;
using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

public sealed class PeriodicTimersTests
{
    private static readonly byte[] Header = [0x49, 0x43, 0x52, 0x56, 0x86, 0x82, 0x30, 0x56];

    // file_entry { type: REG, id: 1, reg: { name: "/x" } }
    private static readonly byte[] Regular = [0x08, 0x01, 0x10, 0x01, 0x1A, 0x04, 0x32, 0x02, (byte)'/', (byte)'x'];

    [Fact]
    public void OneThatHasExpiredGetsAPeriod()
    {
        var (image, timers) = PeriodicTimers.Arm(Image(Regular, Timer(seconds: 0, nanoseconds: 0, intervalSeconds: 2, intervalNanoseconds: 20_000_000)));

        timers.ShouldBe(1);
        var entry = Entries(image)[1];
        Numbers(Content(entry, 12)).ShouldBe([(1, 9UL), (5, 1UL), (9, 2UL), (10, 20_000_000UL), (7, 2UL), (8, 20_000_000UL)]);
        Numbers(entry).ShouldContain((2, 7UL));
        Entries(image)[0].ShouldBe(Regular);
    }

    [Theory]
    [InlineData(1, 0, 1, 0)] // on its way
    [InlineData(0, 5, 1, 0)]
    [InlineData(0, 0, 0, 0)] // expired, and that was all
    public void OthersStayAsTheyAre(ulong seconds, ulong nanoseconds, ulong intervalSeconds, ulong intervalNanoseconds)
    {
        var before = Image(Regular, Timer(seconds, nanoseconds, intervalSeconds, intervalNanoseconds));

        var (image, timers) = PeriodicTimers.Arm(before);

        timers.ShouldBe(0);
        image.ShouldBe(before);
    }

    [Theory]
    [InlineData(5)] // the header
    [InlineData(10)] // a length
    [InlineData(15)] // an entry
    public void ImageThatIsCutOffIsNotTouched(int length) =>
        Should.Throw<InvalidDataException>(() => PeriodicTimers.Arm(Image(Regular).AsSpan(0, length)));

    [Fact]
    public void EntryThatIsNoMessageIsNotTouched() =>
        Should.Throw<InvalidDataException>(() => PeriodicTimers.Arm(Image([0xFF, 0xFF])));

    [Fact]
    public void DumpWithoutTheImageHasNone()
    {
        using var directory = new TemporaryDirectory();

        PeriodicTimers.Arm(directory.Path).ShouldBe(0);
    }

    private static byte[] Timer(ulong seconds, ulong nanoseconds, ulong intervalSeconds, ulong intervalNanoseconds)
    {
        List<byte> timer = [], entry = [];
        foreach (var (number, value) in ((int, ulong)[])[(1, 9), (5, 1), (7, seconds), (8, nanoseconds), (9, intervalSeconds), (10, intervalNanoseconds)])
        {
            ProtobufField.Write(timer, number, value);
        }

        ProtobufField.Write(entry, 1, 17);
        ProtobufField.Write(entry, 2, 7);
        ProtobufField.Write(entry, 12, [.. timer]);
        return [.. entry];
    }

    private static byte[] Image(params byte[][] entries) => [.. Header, .. entries.SelectMany(e => (byte[])[.. BitConverter.GetBytes(e.Length), .. e])];

    private static List<byte[]> Entries(byte[] image)
    {
        var entries = new List<byte[]>();
        for (var at = Header.Length; at < image.Length; at += sizeof(int) + entries[^1].Length)
        {
            entries.Add(image.AsSpan(at + sizeof(int), BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(at))).ToArray());
        }

        return entries;
    }

    private static byte[] Content(ReadOnlySpan<byte> message, int number)
    {
        while (ProtobufField.TryTake(ref message, out var field))
        {
            if (field.Number == number)
            {
                return field.Content.ToArray();
            }
        }

        return [];
    }

    private static List<(int Number, ulong Value)> Numbers(ReadOnlySpan<byte> message)
    {
        var numbers = new List<(int, ulong)>();
        while (ProtobufField.TryTake(ref message, out var field))
        {
            numbers.Add((field.Number, field.Value));
        }

        return numbers;
    }
}
