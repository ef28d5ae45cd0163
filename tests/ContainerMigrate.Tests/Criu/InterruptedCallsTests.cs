using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

public sealed class InterruptedCallsTests
{
    private const ulong Interrupted = unchecked((ulong)-4L);
    private static readonly byte[] Magic = [0x49, 0x43, 0x52, 0x56, 0x86, 0x82, 0x30, 0x56];

    [Theory]
    [InlineData(7)] // poll
    [InlineData(232)] // epoll_wait
    public void CallThatTheFreezeInterruptedIsBegunAnew(ulong call)
    {
        var image = InterruptedCalls.Repeat(Image(Interrupted, call))!;

        BitConverter.ToInt32(image, Magic.Length).ShouldBe(image.Length - 12);
        var registers = Numbers(Content(Content(image.AsSpan(12), 2), 2));
        registers[11].ShouldBe(call);
        registers[16].ShouldBe(call);
        registers[17].ShouldBe(0x1000UL - 2);
        registers[18].ShouldBe(0x33UL);
        registers[20].ShouldBe(0x7000UL);
        Numbers(image.AsSpan(12))[1].ShouldBe(1UL);
        Content(image.AsSpan(12), 5).ShouldBe([0x08, 0x07]);
    }

    [Theory]
    [InlineData(5UL, 7UL, 0x33UL)] // it has returned
    [InlineData(Interrupted, 35UL, 0x33UL)] // nanosleep
    [InlineData(Interrupted, 7UL, 0x23UL)] // of 32 bits
    [InlineData(Interrupted, ulong.MaxValue, 0x33UL)] // a handler has run since
    public void OthersStayAsTheyAre(ulong ax, ulong call, ulong codeSegment) => InterruptedCalls.Repeat(Image(ax, call, codeSegment)).ShouldBeNull();

    [Theory]
    [InlineData(3, 10)] // of the process
    [InlineData(5, 9)] // of the thread
    public void CallOfATaskWithAPendingSignalReturns(int message, int signals)
    {
        List<byte> pending = [];
        ProtobufField.Write(pending, signals, [0x0A, 0x01, 0x01]);
        List<byte> part = [];
        ProtobufField.Write(part, message, [.. pending]);

        InterruptedCalls.Repeat(Image(Interrupted, 7, extra: [.. part])).ShouldBeNull();
    }

    [Theory]
    [InlineData(3)]
    [InlineData(11)]
    [InlineData(40)]
    public void ImageThatIsCutOffIsNotTouched(int length) => Should.Throw<InvalidDataException>(() => InterruptedCalls.Repeat(Image(Interrupted, 7).AsSpan(0, length)));

    [Fact]
    public void EachTaskOfADumpIsLookedAt()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory.File("core-1.img"), Image(Interrupted, 7));
        File.WriteAllBytes(directory.File("core-2.img"), Image(0, 7));
        File.WriteAllBytes(directory.File("mm-1.img"), [1, 2, 3]);

        InterruptedCalls.Repeat(directory.Path).ShouldBe(1);
        InterruptedCalls.Repeat(directory.Path).ShouldBe(0);
    }

    // core_entry of images/core.proto
    private static byte[] Image(ulong ax, ulong call, ulong codeSegment = 0x33, byte[]? extra = null)
    {
        List<byte> registers = [], thread = [], core = [];
        foreach (var (number, value) in ((int, ulong)[])[(1, 15), (11, ax), (16, call), (17, 0x1000), (18, codeSegment), (20, 0x7000)])
        {
            ProtobufField.Write(registers, number, value);
        }

        ProtobufField.Write(thread, 1, 0x5000);
        ProtobufField.Write(thread, 2, [.. registers]);
        ProtobufField.Write(core, 1, 1);
        ProtobufField.Write(core, 2, [.. thread]);
        core.AddRange(extra ?? []);
        ProtobufField.Write(core, 5, [0x08, 0x07]);
        return [.. Magic, .. BitConverter.GetBytes(core.Count), .. core];
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

    private static Dictionary<int, ulong> Numbers(ReadOnlySpan<byte> message)
    {
        var numbers = new Dictionary<int, ulong>();
        while (ProtobufField.TryTake(ref message, out var field))
        {
            numbers[field.Number] = field.Value;
        }

        return numbers;
    }
}
