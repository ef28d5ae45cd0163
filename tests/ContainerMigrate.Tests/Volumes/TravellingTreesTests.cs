using System.Globalization;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using ContainerMigrate.Tests.Migration;
using ContainerMigrate.Tests.Storage;
using ContainerMigrate.Volumes;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Volumes;

/// <summary>A layer and two volumes as one stream; and what a peer could make of such a stream.</summary>
public sealed class TravellingTreesTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly DaemonLife _life;
    private readonly FollowedTrees _trees;
    private readonly ArrivingFiles _arriving;
    private readonly ITargetContainer _container = Substitute.For<ITargetContainer>();

    public TravellingTreesTests()
    {
        TestTree.RequireRoot();
        string[] names = ["layer", "one", "two"];
        foreach (var name in names)
        {
            _directory.Make("source/" + name);
            _directory.Make("target/" + name);
        }

        MountDescription[] mounts =
        [
            new("volume", "one", "/one", false) { Driver = "local", Action = VolumeActions.Copy, Bytes = 1 << 20 },
            new("bind", "/srv/skipped", "/skipped", false) { Action = VolumeActions.Skip },
            new("volume", "one", "/again", true) { Driver = "local", Action = VolumeActions.Copy },
            new("bind", "/srv/two", "/two", false) { Action = VolumeActions.Replace },
        ];
        var sample = Samples.Container();
        var container = sample with
        {
            Manifest = sample.Manifest with { Mounts = mounts }, WritableLayerDirectory = Source("layer"),
            MountDirectories = new Dictionary<string, string> { ["/one"] = Source("one"), ["/again"] = Source("one"), ["/two"] = Source("two"), ["/skipped"] = "/nowhere" },
        };
        _trees = new FollowedTrees(new Follower(_directory), container);

        _life = new DaemonLife(new Machine("h2", _directory.Make("h2")), new ManualTime(), new MigrationLimits());
        var journal = _life.Environment.Journals.Create("m1", MigrationRole.Destination);
        _container.WritableLayerDirectory.Returns(Target("layer"));
        _container.MountDirectories.Returns(new Dictionary<string, string> { ["/one"] = Target("one"), ["/again"] = Target("one"), ["/two"] = Target("two"), ["/skipped"] = "/nowhere" });
        var volumes = new ArrivingVolumes(_life.Environment, journal, container.Manifest);
        journal.Append(MigrationPhase.Reserved);
        volumes.Open(_container);
        _arriving = new ArrivingFiles(_life.Environment with { Copier = new DirectoryCopier(), Time = TimeProvider.System }, volumes, maxBytes: 1 << 20, maxLogBytes: 0);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task EachTreeArrivesInItsPlaceAndOnlyWhatHasChangedIsSentAgain()
    {
        foreach (var name in (string[])["layer", "one", "two"])
        {
            File.WriteAllText(Path.Combine(Source(name), "file"), name);
        }

        (await RoundAsync(isLast: false)).Entries.ShouldBe(3);
        foreach (var name in (string[])["layer", "one", "two"])
        {
            (await File.ReadAllTextAsync(Path.Combine(Target(name), "file"), Token)).ShouldBe(name);
        }

        await Task.Delay(100, Token);
        await RoundAsync(isLast: false); // what was made just before it was read is looked at once more
        File.WriteAllText(Path.Combine(Source("two"), "later"), "");
        (await RoundAsync(isLast: true)).Entries.ShouldBe(1);
        File.Exists(Path.Combine(Target("two"), "later")).ShouldBeTrue();
    }

    [Fact]
    public async Task TreeThatCannotGoAheadGoesInThePauseAndTheOthersDoNot()
    {
        File.WriteAllText(Path.Combine(Source("two"), "file"), "");
        var follower = Substitute.For<IFileFollower>();
        var untold = Substitute.For<IFollowedTree>();
        untold.FindObstacleAsync(Token).ReturnsForAnyArgs("not known");
        untold.ScanAsync(default, Token).ReturnsForAnyArgs(new TreeChanges(1, 1, 1, true));
        var told = Substitute.For<IFollowedTree>();
        told.FindObstacleAsync(Token).ReturnsForAnyArgs((string?)null);
        told.ScanAsync(default, Token).ReturnsForAnyArgs(new TreeChanges(1, 1, 1, true));
        told.SendAsync(default!, default, Token).ReturnsForAnyArgs(new CopyTotals(1, 1));
        untold.SendAsync(default!, default, Token).ReturnsForAnyArgs(new CopyTotals(5, 5));
        follower.Follow(default!, default).ReturnsForAnyArgs(call => call.Arg<MountDescription?>() is null ? untold : told);
        var container = Samples.Container() with { MountDirectories = new Dictionary<string, string> { ["/two"] = Source("two") } };
        var trees = new FollowedTrees(follower, container with { Manifest = container.Manifest with { Mounts = [new("bind", "/srv/two", "/two", false) { Action = VolumeActions.Copy }] } });

        (await trees.FindObstacleAsync(Token)).ShouldBeNull();
        (await trees.ScanAsync(isLast: false, Token)).Entries.ShouldBe(1);
        using var ahead = new MemoryStream();
        (await trees.SendAsync(ahead, null, Token)).Entries.ShouldBe(1);
        ahead.ToArray().ShouldBe([TreesFormat.Volume, 0, 0, TreesFormat.End]);
        (await trees.ScanAsync(isLast: true, Token)).Entries.ShouldBe(2);
        (await trees.SendAsync(ahead, null, Token)).Entries.ShouldBe(6);
    }

    [Theory]
    [InlineData(new byte[] { 2, 2, 0 }, "no volume 2")]
    [InlineData(new byte[] { 2, 255, 255 }, "no volume 65535")]
    [InlineData(new byte[] { 9 }, "no kind of tree")]
    public async Task NumberThatNothingWasMadeForIsRefused(byte[] header, string message)
    {
        using var stream = new MemoryStream([.. header, .. new byte[1000]]);

        (await Should.ThrowAsync<InvalidDataException>(() => _arriving.ReceiveAsync(_container, stream, Token))).Message.ShouldContain(message);
        Directory.GetFileSystemEntries(Path.Combine(_directory.Path, "target"), "*", SearchOption.AllDirectories).Length.ShouldBe(3);
    }

    [Fact]
    public async Task StreamThatEndsInItsHeaderIsRefused()
    {
        using var stream = new MemoryStream([TreesFormat.Volume, 0]);
        await Should.ThrowAsync<EndOfStreamException>(() => _arriving.ReceiveAsync(_container, stream, Token));
    }

    [Fact]
    public async Task AllVolumesTogetherBringNoMoreThanWasAnnounced()
    {
        await File.WriteAllBytesAsync(Path.Combine(Source("one"), "large"), new byte[2 << 20].Select((_, i) => (byte)(i * 7)).ToArray(), Token);
        await _trees.ScanAsync(isLast: true, Token);
        using var stream = new MemoryStream();
        await _trees.SendAsync(stream, null, Token);
        stream.Position = 0;

        await Should.ThrowAsync<InvalidDataException>(() => _arriving.ReceiveAsync(_container, stream, Token));
    }

    private async Task<StreamReply> RoundAsync(bool isLast)
    {
        (await _trees.ScanAsync(isLast, Token)).HasChanged.ShouldBeTrue();
        using var stream = new MemoryStream();
        var sent = await _trees.SendAsync(stream, null, Token);
        stream.Position = 0;
        var reply = await _arriving.ReceiveAsync(_container, stream, Token);
        (reply.Entries, reply.Bytes).ShouldBe((sent.Entries, sent.ContentBytes));
        return reply;
    }

    private string Source(string name) => Path.Combine(_directory.Path, "source", name);

    private string Target(string name) => Path.Combine(_directory.Path, "target", name);

    // This process is the container.
    private sealed class Follower(TestDirectory directory) : IFileFollower
    {
        public IFollowedTree Follow(SourceContainer container, MountDescription? mount)
        {
            var cgroup = directory.Make("cgroup");
            File.WriteAllText(Path.Combine(cgroup, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
            return new FollowedTree(mount is null ? container.WritableLayerDirectory : container.MountDirectories[mount.Target], tree => ContainerWriters.Find(tree, cgroup, Environment.ProcessId));
        }
    }
}
