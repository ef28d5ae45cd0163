using System.Globalization;
using System.IO.MemoryMappedFiles;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Files that go ahead in rounds, and the rest: the copy is what the tree is at the end.</summary>
public sealed class FollowedTreeTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _source;
    private readonly string _target;
    private readonly FollowedTree _tree;

    public FollowedTreeTests()
    {
        TestTree.RequireRoot();
        _source = _directory.Make("source");
        _target = _directory.Make("target");
        _tree = Follow();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task EveryKindOfEntryAndThenNothing()
    {
        TestTree.Build(_source);
        (await RoundAsync(isLast: false))!.Entries.ShouldBeGreaterThan(30);
        ShouldBeAlike();
        await Task.Delay(100, Token); // what was made just before it was read is looked at once more

        await RoundAsync(isLast: false);
        (await RoundAsync(isLast: true)).ShouldBeNull("nothing has changed");
        ShouldBeAlike();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task RandomChangesBetweenRounds(int seed)
    {
        var editor = new TreeEditor(_source, seed);
        for (var round = 0; round < 25; round++)
        {
            editor.Change(60);
            await RoundAsync(isLast: round % 5 == 4);
            TreeDigest.Differences(TreeDigest.Of(_source, withAccessTimes: false), TreeDigest.Of(_target, withAccessTimes: false)).ShouldBeEmpty($"seed {seed}, round {round}");
            await Task.Delay(round % 3 == 0 ? 60 : 0, Token); // some entries old enough to be trusted
        }
    }

    [Fact]
    public async Task ChangesWhileItIsRead()
    {
        var quiet = Directory.CreateDirectory(Path.Combine(_source, "quiet")).FullName;
        TestTree.Build(quiet);
        var sent = 0L;
        for (var time = 0; time < 6; time++)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
            var writers = Enumerable.Range(1, 2).Select(w => Task.Run(() => ChangeAsync((10 * time) + w, stop.Token), Token)).ToArray();
            for (var round = 0; round < 6; round++)
            {
                sent += (await RoundAsync(isLast: false))?.Entries ?? 0;
            }

            await stop.CancelAsync();
            await Task.WhenAll(writers);
            await RoundAsync(isLast: true);
            ShouldBeAlike();
        }

        sent.ShouldBeGreaterThan(100);

        async Task ChangeAsync(int seed, CancellationToken cancellationToken)
        {
            var editor = new TreeEditor(_source, seed);
            while (!cancellationToken.IsCancellationRequested)
            {
                editor.Change(20);
                await Task.Yield();
            }
        }
    }

    [Fact]
    public async Task WhatIsStoredThroughAMappingLeavesNoTime()
    {
        var path = Path.Combine(_source, "mapped");
        await File.WriteAllBytesAsync(path, new byte[1 << 20], Token);
        using var mapping = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.ReadWrite);
        using var view = mapping.CreateViewAccessor();
        view.Write(5000, (byte)1); // the page is dirty from here on, and later stores do not fault
        await Task.Delay(100, Token);
        await RoundAsync(isLast: false);
        await RoundAsync(isLast: false);
        var before = ChangeTimeOf("mapped");
        view.Write(5001, (byte)2);
        for (var attempt = 0; attempt < 5 && ChangeTimeOf("mapped") != before; attempt++)
        {
            // The kernel has just written the page to the disk, and then gives a time.
            await RoundAsync(isLast: false);
            before = ChangeTimeOf("mapped");
            view.Write(5001, (byte)(3 + attempt));
        }

        ChangeTimeOf("mapped").ShouldBe(before, "this is what the test is about");
        var written = view.ReadByte(5001);

        var last = await RoundAsync(isLast: true);

        last!.ContentBytes.ShouldBe(BlockDigests.BlockLength, "one block of it");
        (await File.ReadAllBytesAsync(Path.Combine(_target, "mapped"), Token))[5001].ShouldBe(written);
        ShouldBeAlike();
    }

    [Fact]
    public async Task OnlyChangedBlocksOfALargeFileAreSent()
    {
        new TestTree(_source).AddFile("base", 40 << 20);
        await RoundAsync(isLast: false); // whole
        Write("base", 12_345_678, 1);
        await RoundAsync(isLast: false); // whole once more: only now it is known to be one that changes
        await Task.Delay(100, Token);
        Write("base", 30_000_000, 2);
        Write("base", (40 << 20) + 100, 3);

        var last = await RoundAsync(isLast: true);

        last!.ContentBytes.ShouldBeLessThanOrEqualTo(3 * BlockDigests.BlockLength);
        ShouldBeAlike();
    }

    [Fact]
    public async Task ChangedWithinTheTickInWhichItWasRead()
    {
        for (var time = 0; time < 50; time++)
        {
            await File.WriteAllTextAsync(Path.Combine(_source, "racy"), $"a{time:d4}", Token);
            await RoundAsync(isLast: false);
            await File.WriteAllTextAsync(Path.Combine(_source, "racy"), $"b{time:d4}", Token);
            await RoundAsync(isLast: true);
            (await File.ReadAllTextAsync(Path.Combine(_target, "racy"), Token)).ShouldBe($"b{time:d4}");
        }
    }

    [Fact]
    public async Task ATreeThatIsTooLargeGoesWholeInTheEnd()
    {
        TestTree.Build(_source);
        var tree = new FollowedTree(_source, Writers, maxEntries: 20);
        (await RoundAsync(isLast: false, tree)).ShouldBeNull();
        (await RoundAsync(isLast: true, tree))!.Entries.ShouldBeGreaterThan(30);
        ShouldBeAlike();
    }

    [Fact]
    public async Task FileSystemsThatAreNotKnownAreNotTrusted()
    {
        (await _tree.FindObstacleAsync(Token)).ShouldBeNull();
        (await new FollowedTree("/proc", Writers).FindObstacleAsync(Token))!.ShouldContain("without a trace");
        (await new FollowedTree("/nowhere", Writers).FindObstacleAsync(Token))!.ShouldContain("No such file");
    }

    private FollowedTree Follow() => new(_source, Writers);

    // This process is the container.
    private ContainerWriters Writers(DirectoryCursor tree)
    {
        var cgroup = _directory.Make("cgroup");
        File.WriteAllText(Path.Combine(cgroup, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        return ContainerWriters.Find(tree, cgroup, Environment.ProcessId);
    }

    private async Task<CopyTotals?> RoundAsync(bool isLast, FollowedTree? tree = null)
    {
        tree ??= _tree;
        if (!(await tree.ScanAsync(isLast, Token)).HasChanged)
        {
            return null;
        }

        using var stream = new MemoryStream();
        var sent = await tree.SendAsync(stream, progress: null, Token);
        stream.Position = 0;
        (await new DirectoryCopier().ReceiveChangesAsync(_target, stream, long.MaxValue, Token)).ShouldBe(sent);
        return sent;
    }

    private void ShouldBeAlike() =>
        TreeDigest.Differences(TreeDigest.Of(_source, withAccessTimes: false), TreeDigest.Of(_target, withAccessTimes: false)).ShouldBeEmpty();

    private void Write(string name, long position, byte value)
    {
        using var file = new FileStream(Path.Combine(_source, name), FileMode.Open, FileAccess.Write);
        file.Position = position;
        file.WriteByte(value);
    }

    private long ChangeTimeOf(string name)
    {
        using var cursor = new DirectoryCursor(_source);
        cursor.TryGetStatus(System.Text.Encoding.UTF8.GetBytes(name), out var status).ShouldBeTrue();
        return new EntryStamp(status).Changed;
    }
}
