using System.Net;
using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Runtimes.Docker;
using Microsoft.AspNetCore.Http;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class DockerClientTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.41", "1.41")]
    [InlineData("1.45", "1.45")]
    [InlineData("1.99", "1.51")]
    public async Task SpeaksTheOlderOfBothVersions(string offered, string used)
    {
        await using var dockerd = await FakeDockerd.StartAsync(offered);
        dockerd.Answer("GET /info", "{}");
        using var client = Client(dockerd);

        await client.GetAsync("/info", Cancel);

        dockerd.Asked.ShouldBe(["GET /_ping", $"GET /v{used}/info"]);
    }

    [Fact]
    public async Task RefusesDaemonsThatAreTooOld()
    {
        await using var dockerd = await FakeDockerd.StartAsync("1.40");
        using var client = Client(dockerd);

        (await Should.ThrowAsync<DockerApiException>(() => client.GetAsync("/info", Cancel))).Message.ShouldContain("API 1.40, at least 1.41");
    }

    [Fact]
    public async Task RepeatsWhatDockerSaid()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        dockerd.Answer("POST /containers/web/start", "{\"message\":\"driver failed\\nport is taken\"}", 500);
        using var client = Client(dockerd);

        var failure = await Should.ThrowAsync<DockerApiException>(() => client.PostAsync("/containers/web/start", null, Cancel));

        failure.Status.ShouldBe(HttpStatusCode.InternalServerError);
        failure.Message.ShouldBe("driver failed port is taken");
    }

    [Fact]
    public async Task FindsNothingWhereThereIsNothing()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        using var client = Client(dockerd);

        (await client.FindAsync("/containers/web/json", Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task SendsJson()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        JsonNode? got = null;
        dockerd.Answer("POST /containers/web/update", async context => got = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: Cancel));
        using var client = Client(dockerd);

        await client.PostAsync("/containers/web/update", new JsonObject { ["RestartPolicy"] = new JsonObject { ["Name"] = "no" } }, Cancel);

        got!.ToJsonString().ShouldBe("""{"RestartPolicy":{"Name":"no"}}""");
    }

    [Fact]
    public async Task DoesNotWaitForeverForAnAnswer()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        dockerd.Answer("GET /containers/held/json", context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var client = Client(dockerd);

        var failure = await Should.ThrowAsync<DockerApiException>(() => client.GetAsync("/containers/held/json", Cancel, TimeSpan.FromMilliseconds(200)));

        failure.Status.ShouldBeNull();
        failure.Message.ShouldContain("did not answer GET /containers/held/json");
    }

    [Fact]
    public async Task DoesNotReadAnswersWithoutEnd()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        dockerd.Answer("GET /info", async context =>
        {
            var block = new byte[1 << 20];
            while (true)
            {
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
            }
        });
        using var client = Client(dockerd);

        (await Should.ThrowAsync<DockerApiException>(() => client.GetAsync("/info", Cancel))).Message.ShouldContain("longer than");
    }

    [Fact]
    public async Task SaysThatThereIsNoDaemon()
    {
        using var client = new DockerClient(new DockerOptions { SocketPath = "/nowhere/docker.sock" });

        (await Should.ThrowAsync<DockerApiException>(() => client.GetAsync("/info", Cancel))).Message.ShouldStartWith("dockerd at /nowhere/docker.sock:");
    }

    [Fact]
    public async Task UploadsWhatIsWritten()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        var length = 0L;
        dockerd.Answer("POST /images/load", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, Cancel);
            length = body.Length;
            await context.Response.WriteAsync("""{"stream":"Loaded"}""", Cancel);
        });
        using var client = Client(dockerd);

        var answer = await client.UploadAsync("/images/load", async (stream, cancel) => await stream.WriteAsync(new byte[3_000_000], cancel), Cancel);

        length.ShouldBe(3_000_000);
        answer.ShouldContain("Loaded");
    }

    [Fact]
    public async Task ReportsWhyAnUploadEndedEarly()
    {
        await using var dockerd = await FakeDockerd.StartAsync();
        dockerd.Answer("POST /images/load", context => context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted));
        using var client = Client(dockerd);

        var failure = await Should.ThrowAsync<InvalidDataException>(() => client.UploadAsync("/images/load", async (stream, cancel) =>
        {
            await stream.WriteAsync(new byte[100_000], cancel);
            throw new InvalidDataException("the archive is wrong");
        }, Cancel));

        failure.Message.ShouldBe("the archive is wrong");
    }

    private static DockerClient Client(FakeDockerd dockerd) => new(new DockerOptions { SocketPath = dockerd.SocketPath, CallTimeout = TimeSpan.FromSeconds(20) });
}
