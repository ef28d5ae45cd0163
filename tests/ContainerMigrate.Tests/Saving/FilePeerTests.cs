using ContainerMigrate.Api;
using ContainerMigrate.Daemon.Saving;
using ContainerMigrate.Migration;
using ContainerMigrate.Saving;
using ContainerMigrate.Tests.Daemon;
using ContainerMigrate.Tests.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Saving;

/// <summary>A container that is saved is in its file or runs, whatever dies when.</summary>
public sealed class FilePeerTests : IDisposable
{
    private const string Id = "20260102-030405-abcdef";

    private readonly TemporaryDirectory _directory = new();
    private readonly ManualTime _time = new();
    private readonly MigrationLimits _limits = new() { RetryDelay = TimeSpan.FromMilliseconds(1) };

    private string FilePath => Path.Combine(_directory.Path, "web.ctm");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task IsInTheFileOrRunsWhateverDiesWhen(bool leaveRunning)
    {
        var crashes = 0;
        while (await SaveAsync(leaveRunning, crashes, null))
        {
            crashes++;
        }

        crashes.ShouldBeGreaterThan(20);
    }

    [Theory]
    [InlineData("dump")]
    [InlineData("read pages")]
    [InlineData("record Go")]
    public async Task FailureLeavesItRunningAndNothingElse(string step)
    {
        await SaveAsync(leaveRunning: false, null, step);
        File.Exists(FilePath).ShouldBeFalse();
    }

    [Fact]
    public async Task FileThatIsThereIsNotTouched()
    {
        await File.WriteAllTextAsync(FilePath, "mine", TestContext.Current.CancellationToken);
        await SaveAsync(leaveRunning: false, null, null);
        (await File.ReadAllTextAsync(FilePath, TestContext.Current.CancellationToken)).ShouldBe("mine");
    }

    [Theory]
    [InlineData("web.ctm")]
    [InlineData("/tmp/../etc/web.ctm")]
    [InlineData("/nowhere/at/all/web.ctm")]
    [InlineData("/tmp/")]
    [InlineData("/tmp")]
    [InlineData("/tmp/we\nb")]
    public void PathThatIsNoneOfANewFileIsRefused(string path) => Should.Throw<MigrationException>(() => FilePeer.CheckPath(path, "h1"));

    /// <returns>False when it came to its end before the crash.</returns>
    private async Task<bool> SaveAsync(bool leaveRunning, int? killAt, string? failAt)
    {
        var wasThere = File.Exists(FilePath);
        var machine = new Machine("h1", Directory.CreateDirectory(Path.Combine(_directory.Path, Guid.NewGuid().ToString("N"))).FullName) { Exists = true };
        var life = new DaemonLife(machine, _time, _limits);
        var steps = 0;
        life.Before = (step, _) =>
        {
            life.End(steps++ == killAt);
            return step == failAt ? throw new IOException("it broke") : Task.CompletedTask;
        };
        life.After = _ => life.End(steps++ == killAt);
        var journal = life.Environment.Journals.Create(Id, MigrationRole.Source);
        var progress = life.Index.Add(StatusOf());
        await using var peer = new FilePeer(FilePath, life, "h1", _time) { Journal = journal, LeaveRunning = leaveRunning };
        var request = Samples.Request with { Host = FilePath, Mode = MigrationModes.StopAndCopy, ToFile = true, LeaveRunning = leaveRunning };
        var migration = new SourceMigration(life.Environment, peer, request, journal, progress, NullLogger.Instance);
        await Task.WhenAny(RunAsync(), life.Died).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var wasKilled = life.IsDead;
        if (wasKilled)
        {
            var next = new DaemonLife(machine, _time, _limits);
            foreach (var left in next.Environment.Journals.OpenUnfinished(out _))
            {
                await new SourceRecovery(next.Environment, NullLogger.Instance).RunAsync(left, new FilePeer(FilePath, next, "h1", _time), next.Index.Add(StatusOf()), CancellationToken.None);
            }
        }

        File.Exists(FilePath + ".part").ShouldBeFalse();
        if (machine.Exists)
        {
            (machine.Frozen, machine.Fenced, machine.Refused, machine.Policy).ShouldBe((false, false, false, Machine.Always.ToJsonString()));
            (leaveRunning || wasThere || !File.Exists(FilePath)).ShouldBeTrue("it runs, and is in a file");
        }
        else
        {
            leaveRunning.ShouldBeFalse();
            machine.Refused.ShouldBeFalse();
        }

        if (!wasThere && File.Exists(FilePath))
        {
            await using var file = File.OpenRead(FilePath);
            var saved = await SavedFile.VerifyAsync(file, null, TestContext.Current.CancellationToken);
            saved.Settings.RestartPolicy.ToJsonString().ShouldBe(Machine.Always.ToJsonString());
            File.Delete(FilePath);
        }
        else if (!wasThere)
        {
            machine.Exists.ShouldBeTrue("nowhere");
        }

        return wasKilled;

        async Task RunAsync()
        {
            try
            {
                await migration.RunAsync(Samples.Plan(life), CancellationToken.None, CancellationToken.None);
            }
            catch (KilledException)
            {
                // It was.
            }
        }
    }

    private MigrationStatus StatusOf() => new()
    {
        Id = Id, Role = "source", Container = "web", Runtime = "docker", Source = "h1", Destination = FilePath, Phase = MigrationPhase.New, StartedAt = _time.GetUtcNow(),
    };
}
