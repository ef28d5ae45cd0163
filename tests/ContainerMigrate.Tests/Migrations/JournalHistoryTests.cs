using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migrations;

/// <summary>What is told of a migration after the daemon was restarted.</summary>
public sealed class JournalHistoryTests
{
    [Fact]
    public async Task MigrationThatWentWell()
    {
        using var hosts = new TwoHosts();
        await hosts.MigrateAsync();

        foreach (var (journal, host, role) in new[] { (hosts.SourceJournal, "h1", "source"), (hosts.DestinationJournal, "h2", "destination") })
        {
            var status = JournalHistory.Describe(journal, host);
            (status.Id, status.Role, status.Container, status.Runtime, status.Source, status.Destination).ShouldBe((TwoHosts.Id, role, "web", "docker", "h1", "h2"));
            (status.Phase, status.ExitCode, status.Failure).ShouldBe((MigrationPhase.Done, ExitCodes.Done, null));
            status.EndedAt.ShouldNotBeNull();
        }
    }

    [Theory]
    [InlineData(true, ExitCodes.Cancelled)]
    [InlineData(false, ExitCodes.FailedSourceRunning)]
    public async Task MigrationThatWasGivenUp(bool cancelled, int exitCode)
    {
        using var hosts = new TwoHosts();
        hosts.Source.Before = async (s, token) =>
        {
            if (s == "dump" && cancelled)
            {
                await hosts.Cancel.CancelAsync();
            }
            else if (s == "dump")
            {
                throw new MigrationException("dump", "it broke");
            }
        };
        await hosts.MigrateAsync();

        var status = JournalHistory.Describe(hosts.SourceJournal, "h1");

        (status.Phase, status.ExitCode).ShouldBe((MigrationPhase.Aborted, exitCode));
        status.Failure.ShouldBe(hosts.Status.Failure);
    }

    [Fact]
    public void MigrationOfWhichNothingIsKnownYet()
    {
        using var hosts = new TwoHosts();
        var journal = hosts.Source.Environment.Journals.Create("x", MigrationRole.Source);

        var status = JournalHistory.Describe(journal, "h1");

        (status.Container, status.Destination, status.EndedAt, status.ExitCode).ShouldBe(("?", "?", null, null));
    }

    [Fact]
    public void UnfinishedMigrationHasNoEnd()
    {
        using var hosts = new TwoHosts();
        var journal = hosts.Source.Environment.Journals.Create("x", MigrationRole.Source);
        journal.Append(MigrationPhase.Planned, new JsonObject { [JournalKeys.Peer] = "h2", [JournalKeys.ContainerName] = "web" });

        var status = JournalHistory.Describe(journal, "h1");

        (status.Phase, status.Destination, status.EndedAt).ShouldBe((MigrationPhase.Planned, "h2", null));
    }
}
