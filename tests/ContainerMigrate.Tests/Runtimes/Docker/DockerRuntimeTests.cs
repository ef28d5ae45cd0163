using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Docker;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Linux.Volumes;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

/// <summary>The runtime against a dockerd that gives recorded answers.</summary>
public sealed class DockerRuntimeTests : IAsyncLifetime
{
    private readonly DirectoryInfo _state = Directory.CreateTempSubdirectory("docker-runtime");
    private FakeDockerd _dockerd = null!;
    private DockerRuntime _runtime = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _dockerd = await FakeDockerd.StartAsync();
        _dockerd.Answer("GET /info", RecordedAnswers.Load(26, "info").ToJsonString());
        _dockerd.Answer("GET /containers/json", "[]");
        _dockerd.Answer("GET /images/json", "[]");
        foreach (var network in (JsonArray)RecordedAnswers.Load(26, "networks"))
        {
            network!["Containers"] = new JsonObject(); // as on a destination, where the container is not yet
            _dockerd.Answer($"GET /networks/{network["Name"]}", network.ToJsonString());
        }

        _runtime = new DockerRuntime(
            new DockerOptions { SocketPath = _dockerd.SocketPath, StateDirectory = _state.FullName, RemoveTimeout = TimeSpan.FromSeconds(5) },
            Substitute.For<IContainerNetwork>(), new HostDirectories([]), new RestoreLayout(_state.FullName), RestoreTimeouts.Default, NullLogger<DockerRuntime>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        _runtime.Dispose();
        await _dockerd.DisposeAsync();
        _state.Delete(recursive: true);
    }

    [Fact]
    public async Task FindsContainersByNameIdAndBeginningOfTheId()
    {
        _dockerd.Answer("GET /containers/json", """
            [{"Id":"aaa111","Names":["/web"]},{"Id":"aaa222","Names":["/other/alias","/db"]},{"Id":"bbb333","Names":["/aaa"]}]
            """);

        (await _runtime.FindAsync("web", Cancel)).Select(c => c.Id).ShouldBe(["aaa111"]);
        (await _runtime.FindAsync("db", Cancel)).Select(c => c.Id).ShouldBe(["aaa222"]);
        (await _runtime.FindAsync("bbb", Cancel)).Select(c => c.Name).ShouldBe(["aaa"]);
        (await _runtime.FindAsync("aaa", Cancel)).Select(c => c.Id).ShouldBe(["bbb333"], "a name goes before the beginning of an id");
        (await _runtime.FindAsync("aa", Cancel)).Count.ShouldBe(2);
        (await _runtime.FindAsync("alias", Cancel)).ShouldBeEmpty("a link's name is not a container's");
        (await _runtime.FindAsync("", Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task HasNoContainersWhereDockerIsNotInstalled()
    {
        using var runtime = new DockerRuntime(
            new DockerOptions { SocketPath = "/nowhere/docker.sock" }, Substitute.For<IContainerNetwork>(), new HostDirectories([]), new RestoreLayout(), RestoreTimeouts.Default, NullLogger<DockerRuntime>.Instance);

        (await runtime.FindAsync("web", Cancel)).ShouldBeEmpty();
        (await runtime.GetStatusAsync(Cancel)).Available.ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"Status":"exited","Running":false,"Pid":0}""", "it is exited")]
    [InlineData("""{"Status":"restarting","Running":true,"Restarting":true,"Pid":1}""", "it is restarting")]
    public async Task RefusesWhatDoesNotRun(string state, string reason)
    {
        _dockerd.Answer("GET /containers/aaa111/json", $$"""{"Id":"aaa111","Name":"/web","State":{{state}}}""");

        var failure = await Should.ThrowAsync<MigrationException>(() => _runtime.InspectAsync(new ContainerReference("docker", "aaa111", "web"), Cancel));

        failure.Failure.Cause.ShouldContain(reason);
    }

    [Fact]
    public async Task HasNothingAgainstAPlainContainer()
    {
        PutImage();

        (await _runtime.CheckTargetAsync(Manifest("plain"), Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task SaysWhatIsMissingAndHowToMakeIt()
    {
        _dockerd.Answer("GET /networks/lan", "{}", StatusCodes.Status404NotFound);
        _dockerd.Answer("GET /containers/json", """[{"Id":"aaaaaaaaaaaa1111","Names":["/plain"]}]""");

        var findings = await _runtime.CheckTargetAsync(Manifest("plain"), Cancel);

        findings.Single(f => f.Check == CheckNames.Network).Hint!.ShouldStartWith("docker network create -d macvlan");
        findings.Single(f => f.Check == CheckNames.Name).Message.ShouldBe("a container named plain exists here (aaaaaaaaaaaa)");
        var image = findings.Single(f => f.Check == CheckNames.Image);
        image.Severity.ShouldBe(CheckSeverity.Information);
        image.Message.ShouldContain("114636139 bytes");
    }

    [Theory]
    [InlineData("10.77.0.50", "10.77.0.50")] // and with it the MAC address, which Docker <= 27 makes from it
    [InlineData("10.77.0.60", "MAC address 02:42:0a:4d:00:32")]
    public async Task FindsWhatAnotherContainerHasTaken(string others, string taken)
    {
        PutImage();
        var network = ((JsonArray)RecordedAnswers.Load(26, "networks")).First(n => n!["Name"]!.GetValue<string>() == "lan")!;
        network["Containers"] = JsonNode.Parse($$$"""{"x":{"Name":"other","MacAddress":"02:42:0A:4D:00:32","IPv4Address":"{{{others}}}/24","IPv6Address":""}}""");
        _dockerd.Answer("GET /networks/lan", network.ToJsonString());

        var findings = await _runtime.CheckTargetAsync(Manifest("plain"), Cancel);

        findings.Select(f => f.Message).ShouldBe([$"{taken} is in use here by container other"]);
    }

    [Fact]
    public async Task WantsASubnetWithTheAddress()
    {
        PutImage();
        var network = ((JsonArray)RecordedAnswers.Load(26, "networks")).First(n => n!["Name"]!.GetValue<string>() == "lan")!;
        network["Containers"] = new JsonObject();
        network["IPAM"]!["Config"] = JsonNode.Parse("""[{"Subnet":"10.99.0.0/24","Gateway":"10.77.0.1"},{"Subnet":"fd77::/64","Gateway":"fd77::1"}]""");
        _dockerd.Answer("GET /networks/lan", network.ToJsonString());

        (await _runtime.CheckTargetAsync(Manifest("plain"), Cancel)).ShouldHaveSingleItem().Message.ShouldContain("has no subnet with 10.77.0.50 here");
    }

    [Fact]
    public async Task RefusesContainerdsImageStore()
    {
        PutImage();
        var info = RecordedAnswers.Load(28, "info");
        info["Driver"] = "overlayfs";
        info["DriverStatus"] = JsonNode.Parse("""[["driver-type","io.containerd.snapshotter.v1"]]""");
        _dockerd.Answer("GET /info", info.ToJsonString());

        (await _runtime.CheckTargetAsync(Manifest("plain"), Cancel)).ShouldHaveSingleItem().Message.ShouldContain("io.containerd.snapshotter");
    }

    [Fact]
    public async Task SaysWhatThisHostCannotLimit()
    {
        PutImage();
        var manifest = Manifest("plain");
        manifest.Settings["hostConfig"]!["Memory"] = 1 << 28;
        manifest.Settings["hostConfig"]!["CpusetCpus"] = "0-63";

        var messages = (await _runtime.CheckTargetAsync(manifest, Cancel)).Select(f => f.Message).ToList();

        messages.ShouldContain(m => m.StartsWith("HostConfig.Memory is set", StringComparison.Ordinal));
        messages.ShouldContain(m => m.StartsWith("the container is bound to CPUs 0-63", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnswersHostileSettingsWithAFinding()
    {
        var manifest = Manifest("plain");
        manifest.Settings["hostConfig"]!["Privileged"] = true;

        (await _runtime.CheckTargetAsync(manifest, Cancel)).ShouldHaveSingleItem().Check.ShouldBe(CheckNames.Settings);
        await Should.ThrowAsync<MigrationException>(() => _runtime.CreateAsync(manifest, "m1", Cancel));
        _dockerd.Asked.ShouldNotContain(r => r.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task MakesNothingOfSettingsThatCannotMoveWhateverWasSkipped()
    {
        var failure = await Should.ThrowAsync<MigrationException>(() => _runtime.CreateAsync(Manifest("refused"), "m1", Cancel));

        failure.Failure.Cause.ShouldContain("HostConfig.Privileged");
        _dockerd.Asked.ShouldNotContain(r => r.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TakesAwayAContainerThatDockerMadeOtherwise()
    {
        PutImage();
        var made = RecordedAnswers.Load(26, "plain");
        made["HostConfig"]!["ShmSize"] = 1;
        _dockerd.Answer("POST /containers/create", """{"Id":"cccccccccccc","Warnings":[]}""");
        _dockerd.Answer("GET /containers/cccccccccccc/json", made.ToJsonString());
        _dockerd.Answer("DELETE /containers/cccccccccccc", "");

        var failure = await Should.ThrowAsync<MigrationException>(() => _runtime.CreateAsync(Manifest("plain"), "m1", Cancel));

        failure.Failure.Cause.ShouldBe("Docker here did not keep HostConfig.ShmSize");
        _dockerd.Asked.ShouldContain("DELETE /v1.45/containers/cccccccccccc?force=1&v=1");
    }

    [Fact]
    public async Task SaysHowToMakeANetworkThatTakesAddresses()
    {
        PutImage();
        _dockerd.Answer("POST /containers/create", """{"message":"invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets"}""", 400);

        var failure = await Should.ThrowAsync<MigrationException>(() => _runtime.CreateAsync(Manifest("plain"), "m1", Cancel));

        failure.Failure.NextStep!.ShouldStartWith("docker network rm lan; docker network create -d macvlan");
    }

    [Fact]
    public async Task LeavesOutTheLayersThatAreHere()
    {
        var image = Manifest("plain").Image!;
        _dockerd.Answer("GET /images/json", """[{"Id":"sha256:1"},{"Id":"sha256:2"}]""");
        _dockerd.Answer("GET /images/sha256:1/json", new JsonObject { ["RootFS"] = new JsonObject { ["Layers"] = new JsonArray(image.LayerDigests[0], "sha256:x") } }.ToJsonString());
        // The upper layer alone is of no use: Docker knows a layer by all that is below it.
        _dockerd.Answer("GET /images/sha256:2/json", new JsonObject { ["RootFS"] = new JsonObject { ["Layers"] = new JsonArray(image.LayerDigests[1]) } }.ToJsonString());

        (await _runtime.FindMissingLayersAsync(image, Cancel)).ShouldBe([image.LayerDigests[1]]);
    }

    [Fact]
    public async Task SendsTheConfigurationOfAnImageWhoseLayersAreAllHere()
    {
        var image = Manifest("plain").Image!;
        _dockerd.Answer("GET /images/json", """[{"Id":"sha256:1"}]""");
        _dockerd.Answer("GET /images/sha256:1/json", new JsonObject { ["RootFS"] = new JsonObject { ["Layers"] = DockerJson.Array(image.LayerDigests) } }.ToJsonString());

        (await _runtime.FindMissingLayersAsync(image, Cancel)).ShouldBe([image.Id]);
    }

    [Fact]
    public async Task DoesNotTakeAwayATagThatNamesAnotherImage()
    {
        PutImage();
        _dockerd.Answer("GET /images/ctm-small:1/json", """{"Id":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}""");

        var finding = (await _runtime.CheckTargetAsync(Manifest("plain"), Cancel)).ShouldHaveSingleItem();

        finding.Check.ShouldBe(CheckNames.Image);
        finding.Severity.ShouldBe(CheckSeverity.Warning);
    }

    [Fact]
    public async Task WaitsForARemovalThatSomebodyElseBegan()
    {
        _dockerd.Answer("DELETE /containers/aaaaaaaaaaaa", """{"message":"removal of container aaaaaaaaaaaa is already in progress"}""", 409);
        var lists = 0;
        _dockerd.Answer("GET /containers/json", context => context.Response.WriteAsync(++lists < 3 ? """[{"Id":"aaaaaaaaaaaa","State":"removing"}]""" : "[]"));

        await _runtime.DestroyAsync(new ContainerReference("docker", "aaaaaaaaaaaa", "web"), Cancel);

        lists.ShouldBe(3);
    }

    [Fact]
    public async Task DestroysWhatIsGoneAlready()
    {
        await _runtime.DestroyAsync(new ContainerReference("docker", "aaaaaaaaaaaa", "web"), Cancel);
    }

    [Fact]
    public async Task DoesNotTouchARestartPolicyThatIsRightAlready()
    {
        _dockerd.Answer("GET /containers/aaa/json", """{"HostConfig":{"RestartPolicy":{"Name":"always","MaximumRetryCount":0}}}""");
        _dockerd.Answer("POST /containers/aaa/update", "{}");
        var reference = new ContainerReference("docker", "aaa", "web");

        await _runtime.ReturnRestartPolicyAsync(reference, await _runtime.ReadRestartPolicyAsync(reference, Cancel), Cancel);
        _dockerd.Asked.ShouldNotContain(r => r.StartsWith("POST", StringComparison.Ordinal));

        await _runtime.SuspendRestartPolicyAsync(reference, Cancel);
        _dockerd.Asked.ShouldContain("POST /v1.45/containers/aaa/update");
    }

    [Theory]
    [InlineData("unless-stopped", "exited", 255, true)]
    [InlineData("no", "exited", 255, false)]
    [InlineData("always", "exited", 137, false)]
    [InlineData("always", "running", 255, false)]
    public async Task StartsWhatEndedWithItsHostWhileItHadNoPolicy(string policy, string status, int exitCode, bool starts)
    {
        _dockerd.Answer("GET /containers/aaa/json", $$$"""{"HostConfig":{"RestartPolicy":{"Name":"no"}},"State":{"Status":"{{{status}}}","ExitCode":{{{exitCode}}}}}""");
        _dockerd.Answer("POST /containers/aaa/update", "{}");
        _dockerd.Answer("POST /containers/aaa/start", "");

        await _runtime.ReturnRestartPolicyAsync(new ContainerReference("docker", "aaa", "web"), new() { ["Name"] = policy, ["MaximumRetryCount"] = 0 }, Cancel);

        _dockerd.Asked.Contains("POST /v1.45/containers/aaa/start").ShouldBe(starts);
    }

    [Fact]
    public async Task RemovesOnlyWhatThisMigrationMade()
    {
        _dockerd.Answer("GET /containers/json", """[{"Id":"aaaaaaaaaaaa","Names":["/plain"],"State":"created"}]""");
        _dockerd.Answer("GET /containers/aaaaaaaaaaaa/json", """{"HostConfig":{"Annotations":{"org.containermigrate.migration":"m1"}},"State":{"Running":false}}""");
        _dockerd.Answer("DELETE /containers/aaaaaaaaaaaa", "");
        _dockerd.Answer("GET /volumes", """
            {"Volumes":[{"Name":"made","Labels":{"org.containermigrate.migration":"m1"}},{"Name":"other","Labels":{"org.containermigrate.migration":"m3"}},{"Name":"plain","Labels":null}]}
            """);
        _dockerd.Answer("DELETE /volumes/made", "");

        await _runtime.RemoveTracesAsync(Manifest("plain"), "m2", Cancel);
        _dockerd.Asked.ShouldNotContain(r => r.StartsWith("DELETE", StringComparison.Ordinal));

        await _runtime.RemoveTracesAsync(Manifest("plain"), "m1", Cancel);
        _dockerd.Asked.Where(r => r.StartsWith("DELETE", StringComparison.Ordinal)).ShouldBe(["DELETE /v1.45/containers/aaaaaaaaaaaa?force=1&v=1", "DELETE /v1.45/volumes/made"]);
    }

    private void PutImage()
    {
        _dockerd.Answer("GET /images/ctm-small:1/json", RecordedAnswers.Load(26, "image").ToJsonString());
        _dockerd.Answer($"GET /images/{RecordedAnswers.Load(26, "image")["Id"]}/json", RecordedAnswers.Load(26, "image").ToJsonString());
    }

    private static ContainerManifest Manifest(string name)
    {
        var inspect = RecordedAnswers.Load(26, name);
        var image = RecordedAnswers.Load(26, "image");
        return new ContainerManifest
        {
            Runtime = "docker",
            SourceId = inspect["Id"]!.GetValue<string>(),
            Name = name,
            Image = new ImageIdentity("ctm-small:1", image["Id"]!.GetValue<string>(), [.. image["RootFS"]!["Layers"]!.AsArray().Select(l => l!.GetValue<string>())], image["Size"]!.GetValue<long>()),
            Settings = (RecordedAnswers.Read(26, name) with { Api = new Version(1, 45), CgroupDriver = "cgroupfs" }).ToJson(),
        };
    }
}
