using System.Diagnostics;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>What it costs to look for changes while the container waits.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class FollowedTreeCostTests : IDisposable
{
    private readonly TestDirectory _directory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task AScanOfManyEntriesTakesLittleMemory()
    {
        const int Directories = 400, Files = 50, Entries = Directories * (Files + 1);
        var source = _directory.Make("source");
        for (var directory = 0; directory < Directories; directory++)
        {
            var path = Directory.CreateDirectory(Path.Combine(source, $"a-directory-{directory}")).FullName;
            for (var file = 0; file < Files; file++)
            {
                File.WriteAllText(Path.Combine(path, $"some-file-{file}.txt"), "");
            }
        }

        var cgroup = _directory.Make("cgroup");
        var tree = new FollowedTree(source, t => ContainerWriters.Find(t, cgroup, Environment.ProcessId));
        for (var round = 0; round < 2; round++)
        {
            await tree.ScanAsync(isLast: false, Token);
            await tree.SendAsync(Stream.Null, progress: null, Token);
            await Task.Delay(100, Token);
        }

        for (var time = 0; time < 5; time++)
        {
            GC.Collect();
            var (start, before) = (Stopwatch.GetTimestamp(), GC.GetTotalAllocatedBytes(precise: true));
            var found = await tree.ScanAsync(isLast: true, Token);
            var taken = GC.GetTotalAllocatedBytes(precise: true) - before;
            TestContext.Current.TestOutputHelper!.WriteLine($"{found.Scanned} entries in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0.0} ms, {taken / Entries} bytes each");
            (found.Scanned, found.HasChanged).ShouldBe((Entries, false));
            taken.ShouldBeLessThan(400L * Entries);
        }
    }
}
