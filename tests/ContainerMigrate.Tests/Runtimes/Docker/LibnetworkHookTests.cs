using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Docker;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class LibnetworkHookTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("ctm-hook");
    private readonly Socket _dockerd = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public LibnetworkHookTests()
    {
        _root.CreateSubdirectory("libnetwork");
        _dockerd.Bind(new UnixDomainSocketEndPoint(Path.Combine(_root.FullName, "libnetwork", "0123.sock")));
        _dockerd.Listen();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _dockerd.Dispose();
        _root.Delete(recursive: true);
    }

    [Fact]
    public async Task TellsDockerdWhereTheNamespaceIs()
    {
        var config = Config("libnetwork-setkey", $"-exec-root={_root.FullName}", "c1", "0123");
        var attach = LibnetworkHook.TakeFrom(config).ShouldNotBeNull();
        config["hooks"]!["prestart"]!.AsArray().Select(h => (string)h!["path"]!).ShouldBe(["/bin/before", "/bin/after"]);

        var attached = attach(42);
        var request = await AnswerAsync("success");
        await attached;

        JsonNode.DeepEquals(JsonNode.Parse(request), new JsonObject { ["ContainerID"] = "c1", ["Key"] = "/proc/42/ns/net" }).ShouldBeTrue(request);
    }

    [Fact]
    public async Task SaysWhyDockerdCouldNot()
    {
        var attach = LibnetworkHook.TakeFrom(Config("libnetwork-setkey", $"-exec-root={_root.FullName}", "c1", "0123")).ShouldNotBeNull();

        var attached = attach(42);
        await AnswerAsync("no endpoint");

        (await Should.ThrowAsync<MigrationException>(() => attached)).Message.ShouldContain("no endpoint");
    }

    [Fact]
    public async Task SaysThatDockerdIsGone()
    {
        var attach = LibnetworkHook.TakeFrom(Config("libnetwork-setkey", $"-exec-root={_root.FullName}", "c1", "0123")).ShouldNotBeNull();
        _dockerd.Dispose();

        await Should.ThrowAsync<MigrationException>(() => attach(42));
    }

    [Theory]
    [InlineData("libnetwork-setkey", "-exec-root=ROOT", "c1", "4567")] // no such socket
    [InlineData("libnetwork-setkey", "-exec-root=ROOT", "-more", "c1", "0123")]
    [InlineData("something-else", "-exec-root=ROOT", "c1", "0123")]
    [InlineData("libnetwork-setkey")]
    public void LeavesOtherHooksAlone(params string[] args)
    {
        var config = Config([.. args.Select(a => a.Replace("ROOT", _root.FullName, StringComparison.Ordinal))]);

        LibnetworkHook.TakeFrom(config).ShouldBeNull();

        config["hooks"]!["prestart"]!.AsArray().Count.ShouldBe(3);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"hooks":{}}""")]
    [InlineData("""{"hooks":{"prestart":[]}}""")]
    [InlineData("""{"hooks":{"prestart":[{},{"args":[1,2,3]},{"args":[]}]}}""")]
    public void FindsNoneWhereNoneIs(string json) => LibnetworkHook.TakeFrom(JsonNode.Parse(json)!.AsObject()).ShouldBeNull();

    private static JsonObject Config(params string[] args) => new()
    {
        ["hooks"] = new JsonObject
        {
            ["prestart"] = new JsonArray(
                new JsonObject { ["path"] = "/bin/before", ["args"] = new JsonArray("before") },
                new JsonObject { ["path"] = "/proc/1/exe", ["args"] = new JsonArray([.. args.Select(a => (JsonNode)a)]) },
                new JsonObject { ["path"] = "/bin/after" }),
        },
    };

    private async Task<string> AnswerAsync(string answer)
    {
        using var connection = await _dockerd.AcceptAsync(Cancel);
        var buffer = new byte[1280]; // as much as dockerd reads
        var request = Encoding.UTF8.GetString(buffer, 0, await connection.ReceiveAsync(buffer, Cancel));
        await connection.SendAsync(Encoding.UTF8.GetBytes(answer), Cancel);
        return request;
    }
}
