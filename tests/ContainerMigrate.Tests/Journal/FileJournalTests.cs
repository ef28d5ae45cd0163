using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Journal;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Journal;

public sealed class FileJournalTests : IDisposable
{
    private const string Id = "20260102-030405-abcdef";

    private readonly TemporaryDirectory _directory = new();
    private readonly FileJournalStore _store;

    public FileJournalTests() => _store = new FileJournalStore(_directory.Path, TimeProvider.System);

    private string JournalPath => _directory.File($"migrations/{Id}/journal");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void NewMigrationIsUnfinished()
    {
        _store.Create(Id, MigrationRole.Destination);

        var journal = _store.OpenUnfinished(out var damaged).ShouldHaveSingleItem();
        damaged.ShouldBeEmpty();
        (journal.MigrationId, journal.Role, journal.Phase, journal.Epoch, journal.IsClosed).ShouldBe((Id, MigrationRole.Destination, MigrationPhase.New, 1, false));
        journal.Directory.ShouldBe(_directory.File($"migrations/{Id}"));
    }

    [Fact]
    public void StepsAndValuesOutliveTheDaemon()
    {
        var journal = _store.Create(Id, MigrationRole.Source);
        journal.Append(MigrationPhase.Planned, new JsonObject { [JournalKeys.Peer] = "h2", [JournalKeys.ContainerId] = "first" });
        journal.Append(MigrationPhase.PreCopy, new JsonObject { [JournalKeys.ContainerId] = "second" });

        foreach (var each in new[] { journal, Reopen() })
        {
            each.Phase.ShouldBe(MigrationPhase.PreCopy);
            each.Records.Select(r => r.Sequence).ShouldBe([1, 2, 3]);
            each.Value(JournalKeys.Peer)!.GetValue<string>().ShouldBe("h2");
            each.Value(JournalKeys.ContainerId)!.GetValue<string>().ShouldBe("second");
            each.Value(JournalKeys.Result).ShouldBeNull();
        }
    }

    [Fact]
    public void ClosedJournalIsFinishedAndStillKnown()
    {
        var journal = _store.Create(Id, MigrationRole.Source);
        journal.Append(MigrationPhase.Aborted);
        journal.Close(new JsonObject { [JournalKeys.Result] = 1 });
        journal.Close();

        _store.OpenUnfinished(out _).ShouldBeEmpty();
        _store.Exists(Id).ShouldBeTrue();
        var found = Reopen();
        found.IsClosed.ShouldBeTrue();
        found.Records.Count.ShouldBe(3);
        found.Value(JournalKeys.Result)!.GetValue<int>().ShouldBe(1);
        _store.ReadAll().ShouldHaveSingleItem().MigrationId.ShouldBe(Id);
    }

    [Fact]
    public void StepOutsideTheTableIsRefusedAndLeavesNothing()
    {
        var journal = _store.Create(Id, MigrationRole.Source);

        Should.Throw<InvalidOperationException>(() => journal.Append(MigrationPhase.Go)).Message.ShouldContain("no step leads from New to Go");

        journal.Phase.ShouldBe(MigrationPhase.New);
        Reopen().Records.Count.ShouldBe(1);
    }

    [Fact]
    public void SameIdTwiceIsRefused()
    {
        _store.Create(Id, MigrationRole.Source);

        Should.Throw<InvalidOperationException>(() => _store.Create(Id, MigrationRole.Destination));
    }

    [Theory]
    [InlineData("../escape")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    public void IdThatIsAPathIsRefused(string id)
    {
        Should.Throw<ArgumentException>(() => _store.Create(id, MigrationRole.Source));
        Should.Throw<ArgumentException>(() => _store.Exists(id));
    }

    [Fact]
    public void OnlyRootMayLookIntoIt()
    {
        _store.Create(Id, MigrationRole.Source);

        File.GetUnixFileMode(Path.GetDirectoryName(JournalPath)!).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void GoesOnRightAfterATornWrite()
    {
        var journal = _store.Create(Id, MigrationRole.Source);
        var before = File.ReadAllBytes(JournalPath);
        journal.Append(MigrationPhase.Planned, new JsonObject { [JournalKeys.Peer] = new string('x', 300) });
        var after = File.ReadAllBytes(JournalPath);
        for (var length = before.Length; length < after.Length; length += 7)
        {
            File.WriteAllBytes(JournalPath, after[..length]);

            var reopened = Reopen();
            reopened.Phase.ShouldBe(MigrationPhase.New);
            reopened.Append(MigrationPhase.Aborted); // shorter than what was torn

            Reopen().Records.Select(r => r.Phase).ShouldBe([MigrationPhase.New, MigrationPhase.Aborted]);
        }
    }

    [Fact]
    public void MigrationWhoseFirstRecordWasTornNeverWas()
    {
        _store.Create(Id, MigrationRole.Source);
        File.WriteAllBytes(JournalPath, File.ReadAllBytes(JournalPath)[..^1]);

        _store.OpenUnfinished(out var damaged).ShouldBeEmpty();
        damaged.ShouldBeEmpty();
        _store.Find(Id).ShouldBeNull();
        _store.ReadAll().ShouldBeEmpty();
    }

    [Fact]
    public void DamagedJournalIsReportedAndTheOthersAreOpened()
    {
        _store.Create("a", MigrationRole.Source).Append(MigrationPhase.Planned);
        _store.Create("b", MigrationRole.Source);
        var path = _directory.File("migrations/a/journal");
        var content = File.ReadAllBytes(path);
        content[40] ^= 1;
        File.WriteAllBytes(path, content);

        _store.OpenUnfinished(out var damaged).ShouldHaveSingleItem().MigrationId.ShouldBe("b");

        damaged.ShouldBe([("a", "journal record 1 is damaged: its checksum does not match")]);
        _store.ReadAll().ShouldHaveSingleItem().MigrationId.ShouldBe("b");
        Should.Throw<JournalDamagedException>(() => _store.Find("a"));
    }

    [Fact]
    public void RecordsOfSeveralThreadsDoNotMix()
    {
        var journal = _store.Create(Id, MigrationRole.Destination);

        Parallel.For(0, 50, i => journal.Append(MigrationPhase.Reserved, new JsonObject { ["n"] = i }));

        Reopen().Records.Skip(1).Select(r => r.Data!["n"]!.GetValue<int>()).Order().ShouldBe(Enumerable.Range(0, 50));
    }

    [Fact]
    public async Task FullDiskLeavesTheFileAsItIsBelievedToBe()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to mount a file system that is soon full");
        var token = TestContext.Current.CancellationToken;
        var processes = new ProcessRunner();
        var mount = Directory.CreateDirectory(_directory.File("small")).FullName;
        (await processes.RunAsync(new ProcessCommand("mount", "-t", "tmpfs", "-o", "size=64k", "none", mount), token)).Succeeded.ShouldBeTrue();
        try
        {
            var store = new FileJournalStore(mount, TimeProvider.System);
            var journal = store.Create(Id, MigrationRole.Destination);
            var written = 0;
            var padding = new string('x', 3000);
            Should.Throw<IOException>(() =>
            {
                for (; written < 100; written++)
                {
                    journal.Append(MigrationPhase.Reserved, new JsonObject { ["n"] = written, ["padding"] = padding });
                }
            });

            written.ShouldBeInRange(5, 30);
            journal.Records.Count.ShouldBe(written + 1);
            store.Find(Id)!.Records.Count.ShouldBe(written + 1);

            (await processes.RunAsync(new ProcessCommand("mount", "-o", "remount,size=256k", mount), token)).Succeeded.ShouldBeTrue();
            journal.Append(MigrationPhase.Aborted);
            store.Find(Id)!.Records.Select(r => r.Sequence).ShouldBe(Enumerable.Range(1, written + 2));
        }
        finally
        {
            await processes.RunAsync(new ProcessCommand("umount", mount), CancellationToken.None);
        }
    }

    private IMigrationJournal Reopen() => _store.Find(Id).ShouldNotBeNull();
}
