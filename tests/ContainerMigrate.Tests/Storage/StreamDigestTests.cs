using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class StreamDigestTests
{
    [Theory]
    [InlineData("", 0xEF46DB3751D8E999)]
    [InlineData("a", 0xD24EC4F1A98C6E5B)]
    [InlineData("abc", 0x44BC2CF5AD770999)]
    [InlineData("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1)]
    public void KnownTextsHaveTheirKnownDigests(string text, ulong expected)
    {
        var digest = new StreamDigest();
        digest.Append(System.Text.Encoding.ASCII.GetBytes(text));
        digest.GetCurrent().ShouldBe(expected);
    }

    [Fact]
    public void PiecesDoNotMatter()
    {
        var data = new byte[10_000];
        new Random(1).NextBytes(data);
        var whole = new StreamDigest();
        whole.Append(data);
        var random = new Random(2);
        for (var round = 0; round < 50; round++)
        {
            var pieces = new StreamDigest();
            for (var start = 0; start < data.Length;)
            {
                var length = Math.Min(random.Next(0, 100), data.Length - start);
                pieces.Append(data.AsSpan(start, length));
                start += length;
            }

            pieces.GetCurrent().ShouldBe(whole.GetCurrent());
        }
    }
}
