using ContainerMigrate.Containers;
using ContainerMigrate.Protocol;
using ContainerMigrate.Tests.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Containers;

/// <summary>What a manifest may say that comes from another host.</summary>
public sealed class ManifestValidatorTests
{
    private static readonly NetworkLink Link = new()
    {
        Name = "eth0", MacAddress = "02:42:0a:4d:00:32", Kind = "veth", HostLink = "br-0a1b2c", Addresses = ["10.77.0.50/24", "fe80::42:aff:fe4d:32/64"],
        Routes = [new NetworkRoute("default", "10.77.0.1", 4), new NetworkRoute("10.78.0.0/16", null, 4), new NetworkRoute("::/0", "fe80::1", 6)],
    };

    private static readonly ContainerManifest Good = Samples.Manifest(withImage: true) with
    {
        Links = [Link, Link with { Name = "eth1", HostLink = null }], Mounts = [new MountDescription("bind", "/srv", "/data", false)],
    };

    public static TheoryData<string, string> Hostile
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (name, _, problem) in Cases)
            {
                data.Add(name, problem);
            }

            return data;
        }
    }

    private static (string Name, ContainerManifest Manifest, string Problem)[] Cases { get; } =
    [
        ("unknown runtime", Good with { Runtime = "lxc" }, "runtime"),
        ("runtime as a path", Good with { Runtime = "../docker" }, "runtime"),
        ("name as a path", Good with { Name = "../../etc" }, "name or id"),
        ("name as an option", Good with { Name = "--privileged" }, "name or id"),
        ("hidden name", Good with { Name = ".web" }, "name or id"),
        ("name with a line break", Good with { Name = "web\n" }, "name or id"),
        ("no name", Good with { Name = "" }, "name or id"),
        ("long name", Good with { Name = new string('a', 256) }, "name or id"),
        ("id as a path", Good with { SourceId = "a/b" }, "name or id"),
        ("id in other letters", Good with { SourceId = "ａｂｃ" }, "name or id"),
        ("many links", Good with { Links = [.. Enumerable.Range(0, 257).Select(i => Link with { Name = $"e{i}" })] }, "more than 256"),
        ("many mounts", Good with { Mounts = [.. Enumerable.Repeat(Good.Mounts[0], 257)] }, "more than 256"),
        ("many layers", With(i => i with { LayerDigests = [.. Enumerable.Repeat(Samples.Digest, 257)] }), "more than 256"),
        ("digest as a path", With(i => i with { Id = "sha256:../../../../../../../../../../../../../../../../../../../../../../../.." }), "sha256:"),
        ("short digest", With(i => i with { Id = Samples.Digest[..^1] }), "sha256:"),
        ("digest in capitals", With(i => i with { Id = Samples.Digest.ToUpperInvariant() }), "sha256:"),
        ("null layer", With(i => i with { LayerDigests = [null!] }), "sha256:"),
        ("negative image", With(i => i with { SizeBytes = -1 }), "sha256:"),
        ("endless image", With(i => i with { SizeBytes = long.MaxValue }), "sha256:"),
        ("long reference", With(i => i with { Reference = new string('a', 5000) }), "sha256:"),
        ("null link", Good with { Links = [null!] }, "null"),
        ("null mount", Good with { Mounts = [null!] }, "null"),
        ("null address", On(Link with { Addresses = [null!] }), "null"),
        ("null route", On(Link with { Routes = [null!] }), "null"),
        ("same link twice", Good with { Links = [Link, Link] }, "two links"),
        ("no link name", On(Link with { Name = "" }), "interface name"),
        ("long link name", On(Link with { Name = "abcdefghijklmnop" }), "interface name"),
        ("link name with a space", On(Link with { Name = "eth0 up" }), "interface name"),
        ("link name with a line break", On(Link with { Name = "eth0\nx" }), "interface name"),
        ("link name with a zero", On(Link with { Name = "eth0\0" }), "interface name"),
        ("link name as a path", On(Link with { Name = "../eth0" }), "interface name"),
        ("link name as a directory", On(Link with { Name = ".." }), "interface name"),
        ("link name as an option", On(Link with { Name = "-batch" }), "interface name"),
        ("link name with a colon", On(Link with { Name = "eth0:1" }), "interface name"),
        ("host link as a directory", On(Link with { HostLink = "." }), "interface name"),
        ("host link as a path", On(Link with { HostLink = "a/b" }), "interface name"),
        ("empty host link", On(Link with { HostLink = "" }), "interface name"),
        ("no MAC address", On(Link with { MacAddress = "" }), "MAC"),
        ("short MAC address", On(Link with { MacAddress = "02:42:0a:4d:00" }), "MAC"),
        ("MAC address of other signs", On(Link with { MacAddress = "02:42:0a:4d:00:3g" }), "MAC"),
        ("tiny MTU", On(Link with { Mtu = 67 }), "MTU"),
        ("huge MTU", On(Link with { Mtu = 65537 }), "MTU"),
        ("many addresses", On(Link with { Addresses = [.. Enumerable.Repeat("10.0.0.1/8", 257)] }), "address count"),
        ("many routes", On(Link with { Routes = [.. Enumerable.Repeat(new NetworkRoute("default", null, 4), 257)] }), "route count"),
        ("address without length", On(Link with { Addresses = ["10.0.0.1"] }), "prefix length"),
        ("address with a long length", On(Link with { Addresses = ["10.0.0.1/33"] }), "prefix length"),
        ("address with a longer length", On(Link with { Addresses = ["fe80::1/129"] }), "prefix length"),
        ("address with a negative length", On(Link with { Addresses = ["10.0.0.1/-1"] }), "prefix length"),
        ("address with a signed length", On(Link with { Addresses = ["10.0.0.1/+8"] }), "prefix length"),
        ("address with a space", On(Link with { Addresses = ["10.0.0.1/ 8"] }), "prefix length"),
        ("address of three parts", On(Link with { Addresses = ["10.0.1/8"] }), "prefix length"),
        ("address as a number", On(Link with { Addresses = ["0x0a000001/8"] }), "prefix length"),
        ("address with a zone", On(Link with { Addresses = ["fe80::1%eth0/64"] }), "prefix length"),
        ("address with a port", On(Link with { Addresses = ["[fe80::1]:80/64"] }), "prefix length"),
        ("address with words behind it", On(Link with { Addresses = ["10.0.0.1/8 dev lo"] }), "prefix length"),
        ("route of words", On(Link with { Routes = [new NetworkRoute("default dev lo", null, 4)] }), "route"),
        ("gateway of words", On(Link with { Routes = [new NetworkRoute("default", "10.0.0.1 dev lo", 4)] }), "route"),
        ("gateway with a zone", On(Link with { Routes = [new NetworkRoute("default", "fe80::1%lo", 6)] }), "route"),
        ("route of another family", On(Link with { Routes = [new NetworkRoute("default", null, 5)] }), "route"),
        ("long mount", Good with { Mounts = [new MountDescription("bind", "/" + new string('x', 5000), "/data", false)] }, "mount's source"),
        ("mount beside its root", Good with { Mounts = [new MountDescription("bind", "/srv/../etc", "/data", false)] }, "mount's source"),
        ("mount of the root", Good with { Mounts = [new MountDescription("bind", "/", "/data", false)] }, "mount's source"),
        ("mount with a line break", Good with { Mounts = [new MountDescription("bind", "/srv/a\nb", "/data", false)] }, "mount's source"),
        ("mount that is relative", Good with { Mounts = [new MountDescription("bind", "/srv/data", "data", false)] }, "mount's path"),
        ("two mounts in one place", Good with { Mounts = [new MountDescription("bind", "/srv/a", "/data", false), new MountDescription("bind", "/srv/b", "/data", false)] }, "two mounts"),
        ("volume with a path for a name", Good with { Mounts = [new MountDescription("volume", "../x", "/data", false) { Driver = "local" }] }, "volume's name"),
        ("unknown action", Good with { Mounts = [new MountDescription("bind", "/srv/a", "/data", false) { Action = "wipe" }] }, "action"),
        ("negative volume", Good with { Mounts = [new MountDescription("bind", "/srv/a", "/data", false) { Bytes = -1 }] }, "size"),
        ("token that is a path", Good with { Mounts = [new MountDescription("bind", "/srv/a", "/data", false) { Token = ".ctmigrate-probe-/../../../etc/shadow00000000000" }] }, "token"),
        ("token that is any file", Good with { Mounts = [new MountDescription("bind", "/srv/a", "/data", false) { Token = "passwd" }] }, "token"),
        ("too many labels", Good with { Mounts = [new MountDescription("volume", "a", "/data", false) { Driver = "local", Labels = Enumerable.Range(0, 200).ToDictionary(i => $"{i}", i => "") }] }, "labels"),
        ("negative memory", Good with { MemoryBytes = -1 }, "size"),
        ("memory that overflows", Good with { MemoryBytes = long.MaxValue }, "size"),
        ("negative layer", Good with { WritableLayerBytes = -1 }, "size"),
        ("layer that overflows", Good with { WritableLayerBytes = long.MaxValue - 5 }, "size"),
        ("log that overflows", Good with { LogBytes = long.MaxValue }, "size"),
        ("negative processes", Good with { ProcessCount = -1 }, "size"),
    ];

    [Fact]
    public void OrdinaryManifestIsFine()
    {
        ManifestValidator.FindProblem(Good).ShouldBeNull();
        ManifestValidator.FindProblem(Good with { Image = null, Links = [], Mounts = [] }).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public void HostileManifestIsRefused(string name, string problem) =>
        ManifestValidator.FindProblem(Cases.Single(c => c.Name == name).Manifest).ShouldNotBeNull().ShouldContain(problem);

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"runtime":null,"source_id":"a","name":"a","settings":{}}""")]
    [InlineData("""{"runtime":"docker","source_id":"a","name":"a","settings":[]}""")]
    [InlineData("""{"runtime":"docker","source_id":"a","name":"a","settings":{},"links":{}}""")]
    [InlineData("""{"runtime":"docker","source_id":"a","name":"a","settings":{},"memory_bytes":1e30}""")]
    [InlineData("""{"runtime":"docker","source_id":"a","name":"a","settings":{},"links":[{"name":null,"mac_address":"","kind":""}]}""")]
    public void ManifestOfAnotherShapeIsNoManifest(string json) =>
        Should.Throw<Exception>(() => System.Text.Json.JsonSerializer.Deserialize($$"""{"manifest":{{json}},"source_facts":null,"skip":[]}""", PeerJson.Default.PeerCheckRequest))
            .ShouldBeOfType<System.Text.Json.JsonException>();

    [Theory]
    [InlineData("a", true)]
    [InlineData("web-1.2_x", true)]
    [InlineData("0", true)]
    [InlineData("..", false)]
    [InlineData("a/", false)]
    [InlineData("é", false)]
    [InlineData(null, false)]
    public void Names(string? name, bool good) => ManifestValidator.IsName(name).ShouldBe(good);

    private static ContainerManifest On(NetworkLink link) => Good with { Links = [link] };

    private static ContainerManifest With(Func<ImageIdentity, ImageIdentity> change) => Good with { Image = change(Good.Image!) };
}
