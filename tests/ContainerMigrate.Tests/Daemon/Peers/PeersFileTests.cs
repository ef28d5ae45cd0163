using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Peers;

public sealed class PeersFileTests : IDisposable
{
    private static readonly string SomeFingerprint = string.Join(':', Enumerable.Repeat("A0", 32));
    private static readonly string OtherFingerprint = string.Join(':', Enumerable.Repeat("B1", 32));

    private readonly TemporaryDirectory _directory = new();

    private string PathOfFile => _directory.File("peers.json");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void PeersSurviveARestartInAFileOfTheOwnerAlone()
    {
        var peers = PeerDirectory.Load(PathOfFile);
        peers.TryAdd(Peer("h2", SomeFingerprint)).ShouldBeTrue();
        peers.TryAdd(Peer("h3", OtherFingerprint)).ShouldBeTrue();

        PeerDirectory.Load(PathOfFile).All.ShouldBe(peers.All);
        File.GetUnixFileMode(PathOfFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void NameOfAnotherHostIsNotGivenAway()
    {
        var peers = PeerDirectory.Load(PathOfFile);
        peers.TryAdd(Peer("h2", SomeFingerprint)).ShouldBeTrue();

        peers.TryAdd(Peer("h2", OtherFingerprint)).ShouldBeFalse();

        peers.All.ShouldHaveSingleItem().Fingerprint.ShouldBe(SomeFingerprint);
    }

    [Fact]
    public void HostThatPairsAgainUnderANewNameHasThatOneOnly()
    {
        var peers = PeerDirectory.Load(PathOfFile);
        var retired = new List<string>();
        peers.Retired += (_, e) => retired.Add(e.Peer.Name);
        peers.TryAdd(Peer("h2", SomeFingerprint));

        peers.TryAdd(Peer("web2", SomeFingerprint)).ShouldBeTrue();

        peers.FindByName("h2").ShouldBeNull();
        peers.All.ShouldHaveSingleItem().Name.ShouldBe("web2");
        retired.ShouldBe(["h2"]);
    }

    [Fact]
    public void PeerIsFoundByNameAndByAddress()
    {
        var peers = PeerDirectory.Load(PathOfFile);
        peers.TryAdd(Peer("h2", SomeFingerprint));

        peers.Find("h2").ShouldNotBeNull();
        peers.Find("10.0.0.2").ShouldNotBeNull();
        peers.Find("10.0.0.2:7440").ShouldNotBeNull();
        peers.Find("10.0.0.2:7441").ShouldBeNull();
        peers.Find("").ShouldBeNull();
    }

    [Theory]
    [InlineData("\"na/me\"", "\"h:1\"", null, "name must be")]
    [InlineData("null", "\"h:1\"", null, "name must be")]
    [InlineData("\"h2\"", "\"h:\"", null, "address \"h:\" must be")]
    [InlineData("\"h2\"", "\"h:1\"", "\"A0:A0\"", "fingerprint must be")]
    [InlineData("\"h1\"", "\"h:1\"", null, "twice")]
    public void WrongEntryIsNamed(string name, string address, string? fingerprint, string reason)
    {
        _directory.Write("peers.json", $$"""
            { "version": 1, "peers": [
              { "name": "h1", "address": "h1:7440", "fingerprint": "{{SomeFingerprint}}", "paired_at": "2026-01-01T00:00:00Z" },
              { "name": {{name}}, "address": {{address}}, "fingerprint": {{fingerprint ?? $"\"{OtherFingerprint}\""}}, "paired_at": "2026-01-01T00:00:00Z" } ] }
            """);

        var error = Should.Throw<ConfigurationException>(() => PeerDirectory.Load(PathOfFile));

        error.Message.ShouldStartWith($"{PathOfFile}: peer 2 ");
        error.Message.ShouldContain(reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{ "version": 2, "peers": [] }""")]
    [InlineData("""{ "version": 1, "peers": null }""")]
    [InlineData("""{ "version": 1, "peers": [], "more": 1 }""")]
    public void FileThatIsNotUnderstoodStopsTheStart(string content)
    {
        _directory.Write("peers.json", content);

        Should.Throw<ConfigurationException>(() => PeerDirectory.Load(PathOfFile)).Message.ShouldStartWith(PathOfFile);
    }

    private static Peer Peer(string name, string fingerprint) => new(name, new PeerAddress("10.0.0.2", 7440), fingerprint, DateTimeOffset.UnixEpoch);
}
