using System.Diagnostics;
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

    [Fact]
    public async Task PathsLongerThanPathMaxArrive()
    {
        // 600 levels of 100 characters: 60 kB of path, and more levels than a copy keeps open.
        const int Levels = 600;
        var tree = new TestTree(_source);
        tree.AddDeepDirectories(Levels, new string('d', 100), ["file", "other"], link: "linked-from-the-bottom");
        var before = TreeDigest.Of(_source);
        before.Split('\n').Length.ShouldBe(1 + Levels + 3 + 1);

        await CopyAsync(_source, _target);

        TreeDigest.Differences(before, TreeDigest.Of(_target)).ShouldBeEmpty();
    }

    [Fact]
    public async Task FiveThousandLevelsArrive()
    {
        new TestTree(_source).AddDeepDirectories(5000, "d", ["leaf"], link: null);
        var before = TreeDigest.Of(_source);

        var (sent, _) = await CopyAsync(_source, _target);

        sent.Entries.ShouldBe(5001);
        TreeDigest.Differences(before, TreeDigest.Of(_target)).ShouldBeEmpty();
    }

    [Fact]
    public async Task ALargeSparseFileCostsWhatItHolds()
    {
        const long Size = 20L << 30;
        new TestTree(_source).AddSparseFile("disk", Size, 0, 3L << 30, Size - 4096);
        var clock = Stopwatch.StartNew();

        var (sent, _) = await CopyAsync(_source, _target);

        TestContext.Current.TestOutputHelper!.WriteLine($"20 GiB with {sent.ContentBytes} bytes of content: {clock.ElapsedMilliseconds} ms");
        sent.ContentBytes.ShouldBeLessThan(20_000);
        TreeDigest.Differences(TreeDigest.Of(_source), TreeDigest.Of(_target)).ShouldBeEmpty();
    }

    [Fact]
    public async Task WhatIsMountedInTheTreeStaysWhereItIs()
    {
        Directory.CreateDirectory(Path.Combine(_source, "mounted"));
        File.WriteAllText(Path.Combine(_source, "after"), "after");
        Run("mount", "-t", "tmpfs", "none", Path.Combine(_source, "mounted"));
        try
        {
            File.WriteAllText(Path.Combine(_source, "mounted", "foreign"), "foreign");
            var (sent, _) = await CopyAsync(_source, _target);
            sent.Entries.ShouldBe(2);
        }
        finally
        {
            Run("umount", Path.Combine(_source, "mounted"));
        }

        Directory.GetFileSystemEntries(_target, "*", SearchOption.AllDirectories).Select(Path.GetFileName).ShouldBe(["after", "mounted"], ignoreOrder: true);
    }

    [Fact]
    public async Task NothingIsReadBeyondTheEnd()
    {
        TestTree.Build(_source);
        using var stream = new MemoryStream();
        await new DirectoryCopier().SendAsync(_source, stream, progress: null, TestContext.Current.CancellationToken);
        var length = stream.Length;
        stream.Write("what follows"u8);
        stream.Position = 0;

        await new DirectoryCopier().ReceiveAsync(_target, stream, long.MaxValue, TestContext.Current.CancellationToken);

        stream.Position.ShouldBe(length);
    }

    [Fact]
    public async Task ProgressReachesTheMeasuredBytes()
    {
        new TestTree(_source).AddFile("large", 3_000_000);
        var reported = new List<long>();

        await new DirectoryCopier().SendAsync(_source, Stream.Null, new CollectingProgress(reported), TestContext.Current.CancellationToken);

        reported.ShouldBe(reported.Order());
        reported[^1].ShouldBe(3_000_000);
    }

    [Fact]
    public async Task ALostConnectionIsTheReasonOnBothSides()
    {
        new TestTree(_source).AddFile("large", 5_000_000);
        var sending = new DirectoryCopier().SendAsync(_source, new BrokenStream(), progress: null, TestContext.Current.CancellationToken);
        (await Should.ThrowAsync<IOException>(() => sending)).Message.ShouldBe("connection lost");
        var receiving = new DirectoryCopier().ReceiveAsync(_target, new BrokenStream(), long.MaxValue, TestContext.Current.CancellationToken);
        (await Should.ThrowAsync<IOException>(() => receiving)).Message.ShouldBe("connection lost");
    }

    [Fact]
    public async Task CancellingEndsBothSidesAtOnce()
    {
        new TestTree(_source).AddFile("large", 20_000_000);
        using var cancellation = new CancellationTokenSource();
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1000, resumeWriterThreshold: 500));
        var sending = new DirectoryCopier().SendAsync(_source, pipe.Writer.AsStream(), progress: null, cancellation.Token);
        var receiving = new DirectoryCopier().ReceiveAsync(_target, new Pipe().Reader.AsStream(), long.MaxValue, cancellation.Token);

        await cancellation.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => sending.WaitAsync(TimeSpan.FromSeconds(5)));
        await Should.ThrowAsync<OperationCanceledException>(() => receiving.WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task AFullDiskIsSaidWithItsCause()
    {
        var small = _directory.Make("small");
        Run("mount", "-t", "tmpfs", "-o", "size=1m", "none", small);
        try
        {
            new TestTree(_source).AddFile("large", 5_000_000);
            var e = await Should.ThrowAsync<IOException>(() => CopyAsync(_source, small));
            e.Message.ShouldBe($"write {small}/large: No space left on device");
            e.HResult.ShouldBe(28);
        }
        finally
        {
            Run("umount", small);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}");
    }

    private static async Task<(CopyTotals Sent, CopyTotals Received)> CopyAsync(string source, string target)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1 << 20, resumeWriterThreshold: 1 << 19));
        var copier = new DirectoryCopier();
        var receiving = copier.ReceiveAsync(target, pipe.Reader.AsStream(), long.MaxValue, cancellationToken);
        await using var writer = pipe.Writer.AsStream();
        var sending = copier.SendAsync(source, writer, progress: null, cancellationToken);
        if (await Task.WhenAny(sending, receiving) == receiving && !receiving.IsCompletedSuccessfully)
        {
            // The reader is gone: end the pipe, so that the sender does not wait for room in it.
            await pipe.Reader.CompleteAsync();
        }

        var received = await receiving;
        return (await sending, received);
    }

    private sealed class CollectingProgress(List<long> reported) : IProgress<long>
    {
        public void Report(long value) => reported.Add(value);
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("connection lost");

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("connection lost");
    }
}
