using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

public sealed class MigrationIndexTests
{
    private readonly MigrationIndex _index = new(TimeProvider.System);

    public MigrationIndexTests()
    {
        Add("20260102-aaaaaa", "web");
        Add("20260102-aabbbb", "db");
        Add("20260102-aa", "old", ended: true);
    }

    [Theory]
    [InlineData("20260102-aaaaaa", "web")]
    [InlineData("20260102-aaa", "web")]
    [InlineData("20260102-aab", "db")]
    [InlineData("20260102-aa", "old")]
    [InlineData("20260102", null)]
    [InlineData("2027", null)]
    public void FindsByIdOrAnUnambiguousBeginning(string id, string? container) => _index.Find(id)?.Status.Container.ShouldBe(container);

    [Theory]
    [InlineData("2026")]
    [InlineData("x")]
    public void AmbiguousOrUnknownIsNone(string id) => _index.Find(id).ShouldBeNull();

    [Fact]
    public void OnlyUnfinishedMigrationsAreActive()
    {
        _index.FindActive("docker", "web").ShouldBe("20260102-aaaaaa");
        _index.FindActive("docker", "old").ShouldBeNull();
        _index.FindActive("runc", "web").ShouldBeNull();
    }

    [Fact]
    public void IdsAreUnique() => Should.Throw<InvalidOperationException>(() => Add("20260102-aaaaaa", "other"));

    [Fact]
    public void OldestComesFirst() => _index.All.Select(s => s.Container).ShouldBe(["web", "db", "old"]);

    private void Add(string id, string container, bool ended = false)
    {
        var at = new DateTimeOffset(2026, 1, 2, 0, 0, _index.All.Count, TimeSpan.Zero);
        _index.Add(new MigrationStatus
        {
            Id = id, Role = "source", Container = container, Runtime = "docker", Source = "h1", Destination = "h2", Phase = MigrationPhase.New, StartedAt = at,
            EndedAt = ended ? at : null,
        });
    }
}
