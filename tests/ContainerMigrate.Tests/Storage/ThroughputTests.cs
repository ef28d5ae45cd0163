using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Measures over a loopback connection without TLS; asserts nothing about the time.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class ThroughputTests : IDisposable
{
    private readonly TestDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task OneLargeFile()
    {
        const int MiB = 1 << 20;
        const int SizeMiB = 256;
        var source = _directory.Make("source");
        await using (var file = File.Create(Path.Combine(source, "pages-1.img")))
        {
            var piece = new byte[MiB];
            for (var i = 0; i < SizeMiB; i++)
            {
                Random.Shared.NextBytes(piece.AsSpan(0, 4096));
                await file.WriteAsync(piece, TestContext.Current.CancellationToken);
            }
        }

        var clock = Stopwatch.StartNew();
        await new DirectoryCopier().SendAsync(source, Stream.Null, progress: null, TestContext.Current.CancellationToken);
        Report("read and digested", SizeMiB, clock);

        // Once for the compiler, so that the copy is measured and not its making.
        await CopyAsync(source, _directory.Make("warm"));
        var cpu = Environment.CpuUsage.TotalTime;
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var elapsed = await CopyAsync(source, _directory.Make("target"));
        (GC.GetTotalAllocatedBytes(precise: true) - allocated).ShouldBeLessThan(64L << 20, "buffers are pooled");
        Report($"copied over loopback ({(Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds:f0} ms of CPU, both sides)", SizeMiB, elapsed);

        static void Report(string what, int size, Stopwatch clock) =>
            TestContext.Current.TestOutputHelper!.WriteLine($"{size} MiB {what}: {clock.ElapsedMilliseconds} ms, {size / clock.Elapsed.TotalSeconds:f0} MiB/s");
    }

    [Fact]
    public async Task ManySmallFiles()
    {
        const int Count = 20_000;
        var source = _directory.Make("source");
        for (var i = 0; i < Count; i++)
        {
            if (i % 500 == 0)
            {
                Directory.CreateDirectory(Path.Combine(source, $"{i / 500}"));
            }

            File.WriteAllBytes(Path.Combine(source, $"{i / 500}", $"{i}"), new byte[100 + (i % 5000)]);
        }

        var clock = Stopwatch.StartNew();
        await new DirectoryCopier().SendAsync(source, Stream.Null, progress: null, TestContext.Current.CancellationToken);
        TestContext.Current.TestOutputHelper!.WriteLine($"{Count} files read: {clock.ElapsedMilliseconds} ms, {Count / clock.Elapsed.TotalSeconds:f0} a second");
        var cpu = Environment.CpuUsage.TotalTime;
        var elapsed = await CopyAsync(source, _directory.Make("target"));
        TestContext.Current.TestOutputHelper!.WriteLine($"{Count} files copied over loopback ({(Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds:f0} ms of CPU, both sides): {elapsed.ElapsedMilliseconds} ms, {Count / elapsed.Elapsed.TotalSeconds:f0} a second");
        TreeDigest.Differences(TreeDigest.Of(source), TreeDigest.Of(Path.Combine(_directory.Path, "target"))).ShouldBeEmpty();
    }

    private static async Task<Stopwatch> CopyAsync(string source, string target)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint, cancellationToken);
        using var server = await listener.AcceptTcpClientAsync(cancellationToken);
        var clock = Stopwatch.StartNew();
        var sending = new DirectoryCopier().SendAsync(source, client.GetStream(), progress: null, cancellationToken);
        var received = await new DirectoryCopier().ReceiveAsync(target, server.GetStream(), long.MaxValue, cancellationToken);
        (await sending).ShouldBe(received);
        clock.Stop();
        return clock;
    }
}
