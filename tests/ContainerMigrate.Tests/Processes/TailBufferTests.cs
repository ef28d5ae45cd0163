using System.Text;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Processes;

public sealed class TailBufferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4095)]
    [InlineData(5000)]
    [InlineData(20000)]
    public void KeepsExactlyTheTailWhateverTheChunks(int chunk)
    {
        const int Capacity = 10_000;
        var text = string.Concat(Enumerable.Range(0, 6000).Select(i => $"{i} "));
        var buffer = new TailBuffer(Capacity);
        for (var i = 0; i < text.Length; i += chunk)
        {
            buffer.Append(Encoding.UTF8.GetBytes(text[i..Math.Min(text.Length, i + chunk)]));
        }

        buffer.ToString().ShouldBe(text[^Capacity..]);
        buffer.Truncated.ShouldBeTrue();
    }

    [Fact]
    public void KeepsAllOfAShortOutput()
    {
        var buffer = new TailBuffer(8);
        buffer.Append("12345678"u8);

        buffer.ToString().ShouldBe("12345678");
        buffer.Truncated.ShouldBeFalse();
    }
}
