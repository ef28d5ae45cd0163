using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class LogCopierTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly LogCopier _copier = new();
    private readonly string _source;
    private readonly string _destination;

    public LogCopierTests()
    {
        _source = Path.Combine(_directory.Path, "source-json.log");
        _destination = Path.Combine(_directory.Path, "destination-json.log");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task TheSecondPieceIsOnlyWhatWasAdded()
    {
        await File.WriteAllTextAsync(_source, "one\n", Cancellation);
        var (position, _) = await CarryAsync(LogPosition.Start);
        await File.AppendAllTextAsync(_source, "two\n", Cancellation);
        var (_, bytes) = await CarryAsync(position);

        bytes.ShouldBe(4);
        File.ReadAllText(_destination).ShouldBe("one\ntwo\n");
        File.GetUnixFileMode(_destination).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
    }

    [Fact]
    public async Task ARotatedLogBeginsAnew()
    {
        await File.WriteAllTextAsync(_source, "a long first file\n", Cancellation);
        var (position, _) = await CarryAsync(LogPosition.Start);
        File.Move(_source, _source + ".1");
        await File.WriteAllTextAsync(_source, "second\n", Cancellation);
        await CarryAsync(position);

        File.ReadAllText(_destination).ShouldBe("second\n");
    }

    [Fact]
    public async Task APieceThatDoesNotFollowIsRefused()
    {
        await File.WriteAllTextAsync(_source, "one\ntwo\n", Cancellation);
        var (position, _) = await CarryAsync(LogPosition.Start);
        File.WriteAllText(_destination, "other");
        await Should.ThrowAsync<InvalidDataException>(() => CarryAsync(position));
    }

    [Fact]
    public async Task MoreThanWasAnnouncedIsRefused()
    {
        await File.WriteAllTextAsync(_source, new string('x', 100), Cancellation);
        using var stream = new MemoryStream();
        await _copier.SendAsync(_source, LogPosition.Start, stream, Cancellation);
        stream.Position = 0;
        await Should.ThrowAsync<InvalidDataException>(() => _copier.ReceiveAsync(_destination, stream, 99, Cancellation));
    }

    [Fact]
    public async Task EveryTruncationIsRefused()
    {
        await File.WriteAllTextAsync(_source, "one\n", Cancellation);
        using var stream = new MemoryStream();
        await _copier.SendAsync(_source, LogPosition.Start, stream, Cancellation);
        for (var length = 0; length < stream.Length; length++)
        {
            using var cut = new MemoryStream(stream.ToArray(), 0, length);
            await Should.ThrowAsync<InvalidDataException>(() => _copier.ReceiveAsync(_destination, cut, 100, Cancellation));
        }
    }

    private async Task<(LogPosition Position, long Bytes)> CarryAsync(LogPosition from)
    {
        using var stream = new MemoryStream();
        var position = await _copier.SendAsync(_source, from, stream, Cancellation);
        stream.Position = 0;
        return (position, await _copier.ReceiveAsync(_destination, stream, 1000, Cancellation));
    }
}
