using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Api;

public sealed class ApiJsonTests
{
    [Fact]
    public void RequestWithOnlyWhatIsRequiredGetsTheDefaultsOfTheRest()
    {
        var request = JsonSerializer.Deserialize("""{"container":"web","host":"h2"}""", ApiJson.Default.MigrateRequest)!;

        request.Mode.ShouldBe("auto");
        request.Skip.ShouldBeEmpty();
        request.DeadlineSeconds.ShouldBeNull();
        request.DryRun.ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"host":"h2"}""")]
    [InlineData("""{"container":null,"host":"h2"}""")]
    [InlineData("""{"container":"web","host":"h2","skip":[]""")]
    public void RequestWithoutWhatIsRequiredIsRefused(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize(json, ApiJson.Default.MigrateRequest));

    [Fact]
    public void StatusOfAnOlderDaemonHasNoNullLists()
    {
        var status = JsonSerializer.Deserialize(
            """{"id":"m1","role":"source","container":"web","runtime":"docker","source":"h1","destination":"h2","phase":"Frozen"}""",
            ApiJson.Default.MigrationStatus)!;

        status.Phase.ShouldBe(MigrationPhase.Frozen);
        status.Findings.ShouldBeEmpty();
        status.Activity.ShouldBe("");
        status.ExitCode.ShouldBeNull();
    }

    [Fact]
    public void FieldsOfANewerDaemonAreIgnored()
    {
        var error = JsonSerializer.Deserialize("""{"message":"no","exit_code":10,"colour":"blue"}""", ApiJson.Default.ApiError)!;

        error.ExitCode.ShouldBe(ExitCodes.Refused);
    }

    [Fact]
    public void NamesAreSnakeCaseAndEnumerationsAreWords()
    {
        var json = JsonSerializer.Serialize(
            new CheckFinding(CheckNames.Cpu, CheckSeverity.Warning, "h2", "lacks avx512f"), ApiJson.Default.CheckFinding);

        json.ShouldBe("""{"check":"cpu","severity":"Warning","host":"h2","message":"lacks avx512f"}""");
    }

    [Fact]
    public void PartsOfThePauseKeepTheirNamesAndOrder()
    {
        var json = JsonSerializer.Serialize(
            new MigrationStatus
            {
                Id = "m1",
                Role = "source",
                Container = "web",
                Runtime = "docker",
                Source = "h1",
                Destination = "h2",
                Phase = MigrationPhase.Done,
                Result = new MigrationResult { PauseParts = new Dictionary<string, double> { ["freeze"] = 2, ["Dump images"] = 3.5 } },
            },
            ApiJson.Default.MigrationStatus);

        JsonSerializer.Deserialize(json, ApiJson.Default.MigrationStatus)!.Result!.PauseParts.Keys.ShouldBe(["freeze", "Dump images"]);
    }

    [Fact]
    public void WhatIsLeftOutBecauseItIsNullMayBeMissing()
    {
        var request = new PairRequest("h2", null);
        var code = new PairingCode("1234-5678", DateTimeOffset.UnixEpoch, null);
        var reply = new PairReply(false, null, "look at h2");
        var error = new ApiError("no", ExitCodes.Refused);
        var item = new DoctorItem("criu", "ok", "4.2.1");

        RoundTrip(request, ApiJson.Default.PairRequest).ShouldBe(request);
        RoundTrip(code, ApiJson.Default.PairingCode).ShouldBe(code);
        RoundTrip(reply, ApiJson.Default.PairReply).ShouldBe(reply);
        RoundTrip(error, ApiJson.Default.ApiError).ShouldBe(error);
        RoundTrip(item, ApiJson.Default.DoctorItem).ShouldBe(item);
    }

    private static T RoundTrip<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(JsonSerializer.Serialize(value, type), type)!;
}
