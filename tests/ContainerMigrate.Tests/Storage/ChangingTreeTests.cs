using System.Diagnostics;
using System.Text;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>A container goes on writing while its files are sent.</summary>
public sealed class ChangingTreeTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _source;
    private long _changes;

    public ChangingTreeTests()
    {
        _source = _directory.Make("source");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ATreeThatChangesArrivesWholeAndTheRestOfItExactly()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var quiet = Directory.CreateDirectory(Path.Combine(_source, "quiet")).FullName;
        TestTree.Build(quiet);
        var quietBefore = TreeDigest.Of(quiet);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var writers = new[] { Task.Run(() => Change(1, stop.Token), cancellationToken), Task.Run(() => Change(2, stop.Token), cancellationToken) };
        var clock = Stopwatch.StartNew();
        var copies = 0;
        for (; clock.Elapsed < TimeSpan.FromSeconds(4); copies++)
        {
            var target = _directory.Make($"target-{copies}");
            using var stream = new MemoryStream();
            var sent = await new DirectoryCopier().SendAsync(_source, stream, progress: null, cancellationToken);
            stream.Position = 0;
            (await new DirectoryCopier().ReceiveAsync(target, stream, long.MaxValue, cancellationToken)).ShouldBe(sent);
            TreeDigest.Differences(quietBefore, TreeDigest.Of(Path.Combine(target, "quiet"))).ShouldBeEmpty();
            DirectoryCleaner.Empty(target, cancellationToken);
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers);
        TestContext.Current.TestOutputHelper!.WriteLine($"{copies} copies during {_changes} changes");
        _changes.ShouldBeGreaterThan(copies);

        var last = _directory.Make("last");
        using var final = new MemoryStream();
        await new DirectoryCopier().SendAsync(_source, final, progress: null, cancellationToken);
        final.Position = 0;
        await new DirectoryCopier().ReceiveAsync(last, final, long.MaxValue, cancellationToken);
        TreeDigest.Differences(TreeDigest.Of(_source), TreeDigest.Of(last)).ShouldBeEmpty();
    }

    /// <summary>Whatever programs do to files: grow, cut, punch, replace by rename or by another kind, link, move, delete.</summary>
    private void Change(int seed, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var bytes = new byte[300_000];
        while (!cancellationToken.IsCancellationRequested)
        {
            var (one, other) = (Path.Combine(_source, $"{seed}-{random.Next(12)}"), Path.Combine(_source, $"{seed}-{random.Next(12)}"));
            try
            {
                ChangeOne(random, one, other, bytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A directory where a file was wanted, or the other way round: part of the game.
            }

            _ = Interlocked.Increment(ref _changes);
        }
    }

    private static void ChangeOne(Random random, string one, string other, byte[] bytes)
    {
        switch (random.Next(10))
        {
            case 0:
                File.WriteAllBytes(one, bytes.AsSpan(0, random.Next(bytes.Length)));
                break;
            case 1:
                File.AppendAllBytes(one, bytes.AsSpan(0, random.Next(10_000)));
                break;
            case 2:
                using (var file = File.OpenWrite(one))
                {
                    file.SetLength(random.Next(1000) * 1000);
                }

                break;
            case 3:
                File.Delete(one);
                break;
            case 4:
                File.Move(one, other, overwrite: true);
                break;
            case 5:
                Directory.CreateDirectory(Path.Combine(one, "a", "b"));
                File.WriteAllBytes(Path.Combine(one, "a", "b", "file"), bytes.AsSpan(0, 5000));
                break;
            case 6:
                Directory.Delete(one, recursive: true);
                break;
            case 7:
                Directory.Move(Path.Combine(one, "a"), other);
                break;
            case 8:
                Link(one, other);
                break;
            default:
                File.CreateSymbolicLink(one, other);
                break;
        }
    }

    private static unsafe void Link(string existing, string name)
    {
        fixed (byte* from = Encoding.UTF8.GetBytes(existing + '\0'), to = Encoding.UTF8.GetBytes(name + '\0'))
        {
            _ = FileCalls.MakeLink(FileCalls.CurrentDirectory, from, FileCalls.CurrentDirectory, to, 0);
        }
    }
}
