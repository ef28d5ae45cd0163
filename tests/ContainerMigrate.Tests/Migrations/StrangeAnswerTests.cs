using ContainerMigrate.Daemon;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Daemon;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>A paired host that answers something else than it should.</summary>
public sealed class StrangeAnswerTests
{
    [Theory]
    [InlineData(200, "", "its answer cannot be read")]
    [InlineData(200, "null", "its answer cannot be read")]
    [InlineData(200, "<html>", "its answer cannot be read")]
    [InlineData(200, "{}", "its answer cannot be read")]
    [InlineData(200, """{"phase":"Nowhere","epoch":1,"running":true,"detail":""}""", "its answer cannot be read")]
    [InlineData(200, """{"phase":"Done","epoch":1,"running":true,"detail":null}""", "its answer cannot be read")]
    [InlineData(500, "<html>", "it answered 500")]
    [InlineData(404, "", "it answered 404")]
    [InlineData(409, "null", "it answered 409")]
    [InlineData(409, """{"failure":null}""", "it answered 409")]
    [InlineData(302, "", "it answered 302")]
    public async Task StrangeAnswerIsAFailureInWords(int status, string body, string cause)
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2", new StrangeModule(status, body));
        await h1.PairWithAsync(h2);

        var failure = (await Should.ThrowAsync<MigrationException>(() => TwoDaemons.PeerOf(h1, "h2").GetStateAsync("x", TestContext.Current.CancellationToken))).Failure;

        (failure.Host, failure.Stage).ShouldBe(("h2", "protocol"));
        failure.Cause.ShouldStartWith(cause);
    }

    [Fact]
    public async Task EndlessAnswerIsNotReadToItsEnd()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2", new StrangeModule(200, new string(' ', 5 << 20)));
        await h1.PairWithAsync(h2);

        var failure = (await Should.ThrowAsync<MigrationException>(() => TwoDaemons.PeerOf(h1, "h2").GetStateAsync("x", TestContext.Current.CancellationToken))).Failure;

        failure.Cause.ShouldContain("longer than");
    }

    [Fact]
    public async Task FailureWithoutAHostGetsThePeersName()
    {
        await using var h1 = await RunningDaemon.StartAsync("h1");
        await using var h2 = await RunningDaemon.StartAsync("h2", new StrangeModule(409, """{"failure":{"host":"","stage":"restore","cause":"it broke"}}"""));
        await h1.PairWithAsync(h2);

        var failure = (await Should.ThrowAsync<MigrationException>(() => TwoDaemons.PeerOf(h1, "h2").GetStateAsync("x", TestContext.Current.CancellationToken))).Failure;

        failure.ShouldBe(new MigrationFailure("h2", "restore", "it broke"));
    }

    private sealed class StrangeModule(int status, string body) : IDaemonModule
    {
        public void AddServices(IServiceCollection services, DaemonOptions options)
        {
        }

        public void MapLocalApi(IEndpointRouteBuilder localApi)
        {
        }

        public void MapPeerApi(IEndpointRouteBuilder peerApi) => peerApi.MapGet("/peer/v1/migrations/{id}", (RequestDelegate)(async context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentLength = body.Length;
            await context.Response.WriteAsync(body, context.RequestAborted);
        }));
    }
}
