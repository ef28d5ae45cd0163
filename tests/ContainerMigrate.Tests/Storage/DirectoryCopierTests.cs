using System.IO.Pipelines;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class DirectoryCopierTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _source;
    private readonly string _target;

    public DirectoryCopierTests()
    {
        TestTree.RequireRoot();
        _source = _directory.Make("source");
        _target = _directory.Make("target");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task EveryKindOfEntryArrivesAsItWas()
    {
        TestTree.Build(_source);
        var before = TreeDigest.Of(_source);

        var (sent, received) = await CopyAsync(_source, _target);

        TreeDigest.Differences(before, TreeDigest.Of(_target)).ShouldBeEmpty();
        TreeDigest.Differences(before, TreeDigest.Of(_source)).ShouldBeEmpty("the source is not touched, its access times neither");
        received.ShouldBe(sent);
    }

    [Fact]
    public async Task MeasuredIsWhatIsSent()
    {
        TestTree.Build(_source);
        var measured = await new DirectoryCopier().MeasureAsync(_source, TestContext.Current.CancellationToken);

        var (sent, _) = await CopyAsync(_source, _target);

        measured.ShouldBe(sent);
    }

    private static async Task<(CopyTotals Sent, CopyTotals Received)> CopyAsync(string source, string target)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19));
        var copier = new DirectoryCopier();
        var receiving = copier.ReceiveAsync(target, pipe.Reader.AsStream(), long.MaxValue, cancellationToken);
        await using var writer = pipe.Writer.AsStream();
        var sent = await copier.SendAsync(source, writer, progress: null, cancellationToken);
        return (sent, await receiving);
    }
}
