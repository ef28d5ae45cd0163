using System.Buffers.Binary;
using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Tests.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

public sealed class PageFileCopierTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly PageFileCopier _copier = new();
    private readonly string _source;
    private readonly string _destination;

    public PageFileCopierTests()
    {
        _source = _directory.Make("source");
        _destination = _directory.Make("destination");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task FilesThatGrowWhileTheyAreSentArriveWhole()
    {
        var written = new TaskCompletionSource();
        using var stream = new MemoryStream();
        var sending = _copier.SendAsync(_source, written.Task, stream, null, Cancellation);
        var random = new Random(7);
        for (var round = 0; round < 20; round++)
        {
            foreach (var name in (string[])["pages-1.img", "pages-17.img"])
            {
                var piece = new byte[random.Next(1, 300_000)];
                random.NextBytes(piece);
                await using var file = new FileStream(Path.Combine(_source, name), FileMode.Append, FileAccess.Write, FileShare.Read);
                await file.WriteAsync(piece, Cancellation);
            }

            await Task.Delay(3, Cancellation);
        }

        written.SetResult();
        await sending;
        stream.Position = 0;
        var bytes = await _copier.ReceiveAsync(_destination, stream, long.MaxValue, Cancellation);

        bytes.ShouldBe(Directory.EnumerateFiles(_source).Sum(f => new FileInfo(f).Length));
        foreach (var file in Directory.EnumerateFiles(_source))
        {
            File.ReadAllBytes(Path.Combine(_destination, Path.GetFileName(file))).ShouldBe(File.ReadAllBytes(file));
        }
    }

    [Fact]
    public async Task OnlyPageFilesAreSentAndSetAside()
    {
        foreach (var name in (string[])["pages-1.img", "pagemap-1.img", "pages-x.img", "core-1.img"])
        {
            File.WriteAllText(Path.Combine(_source, name), name);
        }

        using var stream = new MemoryStream();
        await _copier.SendAsync(_source, Task.CompletedTask, stream, null, Cancellation);
        _copier.SetAside(_source, Path.Combine(_directory.Path, "aside"));
        stream.Position = 0;
        await _copier.ReceiveAsync(_destination, stream, 100, Cancellation);

        Directory.EnumerateFiles(_destination).Select(Path.GetFileName).ShouldBe(["pages-1.img"]);
        Directory.EnumerateFiles(_source).Select(f => Path.GetFileName(f)).Order().ShouldBe(["core-1.img", "pagemap-1.img", "pages-x.img"]);
    }

    [Fact]
    public async Task AFailedDumpLeavesTheStreamWithoutItsEnd()
    {
        File.WriteAllText(Path.Combine(_source, "pages-1.img"), "half");
        using var stream = new MemoryStream();
        await Should.ThrowAsync<TimeoutException>(() => _copier.SendAsync(_source, Task.FromException(new TimeoutException()), stream, null, Cancellation));
        stream.Position = 0;
        await Should.ThrowAsync<InvalidDataException>(() => _copier.ReceiveAsync(_destination, stream, 100, Cancellation));
    }

    [Fact]
    public async Task EveryTruncationIsRefused()
    {
        File.WriteAllText(Path.Combine(_source, "pages-1.img"), "some pages");
        using var stream = new MemoryStream();
        await _copier.SendAsync(_source, Task.CompletedTask, stream, null, Cancellation);
        for (var length = 0; length < stream.Length; length++)
        {
            using var cut = new MemoryStream(stream.ToArray(), 0, length);
            await Should.ThrowAsync<InvalidDataException>(() => _copier.ReceiveAsync(_directory.Make("cut" + length), cut, 100, Cancellation));
        }
    }

    [Theory]
    [InlineData(1u, 0u)]
    [InlineData(1u, (1u << 20) + 1)]
    [InlineData(1u, uint.MaxValue)]
    [InlineData(1u, 101u)]
    public async Task PiecesBeyondTheBoundsAreRefused(uint number, uint length)
    {
        var bytes = new byte[2 << 20];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, number);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), length);
        using var stream = new MemoryStream(bytes);
        await Should.ThrowAsync<InvalidDataException>(() => _copier.ReceiveAsync(_destination, stream, 100, Cancellation));
        Directory.EnumerateFiles(_destination).ShouldBeEmpty();
    }

    [Fact]
    public async Task AFileThatIsThereIsNotReplaced()
    {
        File.WriteAllText(Path.Combine(_source, "pages-1.img"), "new");
        File.WriteAllText(Path.Combine(_destination, "pages-1.img"), "old");
        using var stream = new MemoryStream();
        await _copier.SendAsync(_source, Task.CompletedTask, stream, null, Cancellation);
        stream.Position = 0;
        await Should.ThrowAsync<IOException>(() => _copier.ReceiveAsync(_destination, stream, 100, Cancellation));
        File.ReadAllText(Path.Combine(_destination, "pages-1.img")).ShouldBe("old");
    }
}
