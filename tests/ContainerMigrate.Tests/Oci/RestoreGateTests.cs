using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Daemon;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Oci;

/// <summary>The daemon's side of the gate over real pipes; the tests play the wrapper and the hook.</summary>
public sealed class RestoreGateTests : IAsyncDisposable
{
    private const string Cgroup = "/docker/c0ffee";
    private static readonly Task<string?> Starting = new TaskCompletionSource<string?>().Task;

    private readonly TemporaryDirectory _directory = new();
    private readonly RestoreGate _gate;
    private readonly string _bundle;

    public RestoreGateTests()
    {
        Directory.CreateDirectory(_directory.File("restores"));
        _bundle = Directory.CreateDirectory(_directory.File("bundle")).FullName;
        File.WriteAllText(ConfigPath, $$$"""{"root":{"path":"rootfs"},"linux":{"cgroupsPath":"{{{Cgroup}}}"},"process":{"args":["sh"]}}""");
        _gate = NewGate();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Restore => _directory.File("restores/c0ffee");

    private string ConfigPath => Path.Combine(_bundle, "config.json");

    private string Images => _directory.File("images");
    private string ImagesLink => Path.Combine(Path.GetDirectoryName(_gate.CriuConfigPath)!, "images-dir");


    private string Work => Directory.CreateDirectory(_directory.File("work")).FullName;

    public async ValueTask DisposeAsync()
    {
        await _gate.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public void PreparedRestoreIsArmedAndOnlyForRoot()
    {
        _gate.Prepare();

        _gate.State.ShouldBe("armed");
        _gate.Decision.ShouldBeNull();
        File.GetUnixFileMode(Restore).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.ReadAllText(Path.Combine(Restore, "timeouts")).ShouldBe("create=3\nstart=4\ngate=2\n");
        foreach (var pipe in new[] { "events", "create", "gate" })
        {
            File.GetUnixFileMode(Path.Combine(Restore, pipe)).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    [Fact]
    public async Task PreparingAgainBeginsAnew()
    {
        _gate.Prepare();
        _gate.TryAbort("first");
        await using var second = NewGate();

        second.Prepare();

        (second.State, second.Decision).ShouldBe(("armed", null));
    }

    [Fact]
    public async Task WholeRestoreUpToTheResult()
    {
        _gate.Prepare();
        await CreateAsync();
        using var create = Open("create");
        using var images = Open("images");
        using var gate = Open("gate");
        int? attached = null;

        var restore = _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token, pid =>
        {
            attached = pid;
            return Task.CompletedTask;
        });
        ReadLine(create).ShouldBe($"restore {Images} {Work}");
        ReadLine(images).ShouldBe("go");
        File.ReadAllLines(_gate.CriuConfigPath).ShouldBe(
        [
            "tcp-established", $"cgroup-root :{Cgroup}", "action-script /usr/lib/ctmigrate/ctmigrate-criu-hook",
            $"images-dir {ImagesLink}", $"work-dir {Work}", $"log-file {Work}/restore.log",
        ]);
        Say($"ns {Environment.ProcessId}");
        Say("start");
        Say($"restored {Environment.ProcessId}");
        await restore;

        attached.ShouldBe(Environment.ProcessId);
        _gate.InitPid.ShouldBe(Environment.ProcessId);
        _gate.ClaimCommit().ShouldBeTrue();
        await _gate.ReleaseAsync(() => Task.CompletedTask);
        ReadLine(gate).ShouldBe("commit");
        Say("warning nothing serious");
        Say("result 0 restored");
        (await _gate.WaitForResultAsync(Token)).ShouldBeNull();
    }

    [Fact]
    public async Task CriuNeedNotWaitForTheRuntimeWhereTheDaemonAttachesTheNetwork()
    {
        _gate.Prepare();
        using var network = Open("network");
        List<string> done = [];
        Say($"create 42 0 {_bundle}");
        await _gate.WaitForCreateAsync([], Starting, Token, _ => pid => Do($"attach {pid}"));

        var restore = _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token, pid => Do($"keep {pid}"));
        Say($"fenced {Environment.ProcessId}");
        ReadLine(network).ShouldBe("go");
        done.ShouldBe([$"attach {Environment.ProcessId}", $"keep {Environment.ProcessId}"]);
        File.Exists(Path.Combine(Restore, "attached")).ShouldBeTrue();
        Say($"ns {Environment.ProcessId}");
        Say($"restored {Environment.ProcessId}");
        await Task.Delay(50, Token);
        restore.IsCompleted.ShouldBeFalse("the runtime has not started it yet");

        Say("start");
        await restore;

        Task Do(string what)
        {
            done.Add(what);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task NetworkThatCannotBeAttachedEndsTheRestore()
    {
        _gate.Prepare();
        Say($"create 42 0 {_bundle}");
        await _gate.WaitForCreateAsync([], Starting, Token, _ => _ => throw new MigrationException("restore", "dockerd could not attach the network: no endpoint"));

        var restore = _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token);
        Say($"fenced {Environment.ProcessId}");

        var failure = (await Should.ThrowAsync<MigrationException>(async () =>
        {
            _ = Task.Delay(100, Token).ContinueWith(_ => _gate.TryAbort("given up"), Token);
            await restore;
        })).Failure;
        failure.Cause.ShouldContain("no endpoint");
    }

    [Fact]
    public async Task BeginsBeforeTheImagesAreThereWhereItCan()
    {
        _gate.Prepare();
        using var create = Open("create");
        using var images = Open("images");
        await CreateAsync(["/dev/null", "pipe:[4711]", "pipe:[4712]"]);

        var line = ReadLine(create).Split(' ');
        line[0].ShouldBe("restore");
        File.ReadAllText(Path.Combine(line[1], "descriptors.json")).ShouldBe("""["/dev/null","pipe:[4711]","pipe:[4712]"]""");
        File.ReadAllText(_gate.CriuConfigPath).ShouldContain("action-script");

        var restore = _gate.RestoreAsync(Images, Work, lazy: true, Starting, Token);
        ReadLine(images).ShouldBe("go");
        File.ReadAllLines(_gate.CriuConfigPath)[3..].ShouldBe([$"images-dir {ImagesLink}", $"work-dir {Work}", $"log-file {Work}/restore.log", "lazy-pages"]);
        Say($"ns {Environment.ProcessId}");
        new FileInfo(ImagesLink).LinkTarget.ShouldBe(Images, "CRIU until 4.1 takes nothing but a link");
        Say($"restored {Environment.ProcessId}");
        await restore;
        File.ReadAllLines(_gate.CriuConfigPath).Length.ShouldBe(3, "what was for this restore only");
    }

    [Fact]
    public async Task ConfigurationIsEditedForTheRestoreAndGivenBack()
    {
        var before = JsonNode.Parse(File.ReadAllText(ConfigPath));
        _gate.Prepare();

        await CreateAsync();

        var edited = JsonNode.Parse(File.ReadAllText(ConfigPath))!;
        edited["annotations"]!["org.criu.config"]!.GetValue<string>().ShouldBe(_gate.CriuConfigPath);
        edited["hooks"]!["prestart"]![0]!["path"]!.GetValue<string>().ShouldEndWith("ctmigrate-fence-hook");
        _gate.ReturnConfig(_bundle);
        _gate.ReturnConfig(_bundle);
        JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(ConfigPath)), before).ShouldBeTrue();
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"linux":{"cgroupsPath":"/x\naction-script /evil"}}""")]
    [InlineData("""{"linux":{"cgroupsPath":"/x"},"mounts":[{"source":1}]}""")]
    [InlineData("""{"linux":{"cgroupsPath":"/x"},"annotations":{"a":"b","a":"c"}}""")]
    public async Task ConfigurationThatIsNoneIsAFailureOfTheRestore(string config)
    {
        File.WriteAllText(ConfigPath, config);
        _gate.Prepare();

        (await Should.ThrowAsync<MigrationException>(() => CreateAsync())).Failure.Cause.ShouldStartWith(ConfigPath);
    }

    [Theory]
    [InlineData("create 42 0 relative/bundle")]
    [InlineData("create 42")]
    [InlineData("create")]
    public async Task CreateWithoutABundleIsAFailure(string line)
    {
        _gate.Prepare();
        Say(line);

        (await Should.ThrowAsync<MigrationException>(() => _gate.WaitForCreateAsync([], Starting, Token))).Failure.Cause.ShouldContain("instead of a bundle");
    }

    [Fact]
    public async Task EventsArriveHoweverTheyAreCut()
    {
        _gate.Prepare();
        Write("\n\nwarning one\nwarn");
        Write($"ing two\ncreate 42 0 {_bundle}\n");
        await _gate.WaitForCreateAsync([], Starting, Token);
        Write(new string('x', 10000)); // nobody keeps the contract here; what follows is understood again
        Write($"\nns {Environment.ProcessId}\nrestored {Environment.ProcessId}\n");

        await _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token);

        _gate.InitPid.ShouldBe(Environment.ProcessId);
    }

    [Fact]
    public async Task FenceIsOpenAndTasksRunWhenTheHookSaysSo()
    {
        _gate.Prepare();
        _gate.FenceOpened.IsCompleted.ShouldBeFalse();

        Say("open");
        await _gate.FenceOpened.WaitAsync(TimeSpan.FromSeconds(10), Token);
        _gate.Resumed.IsCompleted.ShouldBeFalse();

        Say("running");
        await _gate.Resumed.WaitAsync(TimeSpan.FromSeconds(10), Token);

        Say("result 0 restored");
        (await _gate.WaitForResultAsync(Token)).ShouldBeNull();
    }

    [Theory]
    [InlineData("refused migration of this container is not finished", "migration of this container is not finished")]
    [InlineData("aborted no images within 3 s", "no images within 3 s")]
    [InlineData("result 1 runc: no such file", "runc: no such file")]
    public async Task WrapperThatGivesUpSaysWhy(string line, string cause)
    {
        _gate.Prepare();
        Say(line);

        (await Should.ThrowAsync<MigrationException>(() => _gate.WaitForCreateAsync([], Starting, Token))).Failure.Cause.ShouldBe(cause);
    }

    [Fact]
    public async Task StartThatFailsBeforeTheWrapperIsCalledSaysWhy()
    {
        _gate.Prepare();

        var failure = await Should.ThrowAsync<MigrationException>(() => _gate.WaitForCreateAsync([], Task.FromResult<string?>("no such image"), Token));

        failure.Failure.Cause.ShouldBe("no such image");
    }

    [Fact]
    public async Task StartThatSucceedsWithoutARestoreIsAFailureToo()
    {
        _gate.Prepare();

        var failure = await Should.ThrowAsync<MigrationException>(() => _gate.WaitForCreateAsync([], Task.FromResult<string?>(null), Token));

        failure.Failure.Cause.ShouldContain("returned before the container was restored");
    }

    [Fact]
    public async Task CauseOfAFailedRestoreIsTheRootLineOfCriusLog()
    {
        _gate.Prepare();
        await CreateAsync();
        File.WriteAllText(Path.Combine(Work, "restore.log"), "(00.1)  1: Error (criu/files-reg.c:1): Can't open file etc/x on restore: No such file or directory\n");
        Say($"ns {Environment.ProcessId}");
        Say("result 1 criu failed: type NOTIFY errno 0");

        var failure = (await Should.ThrowAsync<MigrationException>(() => _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token))).Failure;

        failure.Cause.ShouldBe("CRIU: Can't open file etc/x on restore: No such file or directory");
        failure.NextStep!.ShouldContain("restore.log");
    }

    [Fact]
    public async Task WithoutALineOfCriuTheRuntimeSaysWhy()
    {
        _gate.Prepare();
        await CreateAsync();
        var start = new TaskCompletionSource<string?>();
        Say("result 1 killed");
        var restore = _gate.RestoreAsync(Images, Work, lazy: false, start.Task, Token);
        start.SetResult("docker start: address already in use");

        (await Should.ThrowAsync<MigrationException>(() => restore)).Failure.Cause.ShouldContain("address already in use");
    }

    [Theory]
    [InlineData("commit", "dead", true, true)]
    [InlineData("abort", "dead", true, false)]
    [InlineData("commit", "active", true, false)]
    [InlineData("commit", "done", true, false)]
    [InlineData("commit", "dead", false, false)]
    public void HasNeverRunWhenItDiedAfterTheCommitAndBeforeTheHookLetItGo(string decision, string state, bool marked, bool never)
    {
        _gate.Prepare();
        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, state));
        DurableFile.TryCreateLink(decision, Path.Combine(Restore, "decision"));
        File.WriteAllText(Path.Combine(Restore, "unrun"), marked ? File.ReadAllText("/proc/sys/kernel/random/boot_id") : "");

        _gate.HasNeverRun.ShouldBe(never);
    }

    [Fact]
    public void OfAnEarlierBootItIsNotKnownWhetherItHasRun()
    {
        _gate.Prepare();
        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, "dead"));
        DurableFile.TryCreateLink("commit", Path.Combine(Restore, "decision"));
        File.WriteAllText(Path.Combine(Restore, "unrun"), "00000000-0000-0000-0000-000000000000\n");

        _gate.HasNeverRun.ShouldBeFalse();
        _gate.Settle().ShouldBeTrue();
        _gate.State.ShouldBe("done");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void IsAbandonedWhenWhoeverWasToEndItIsGone(bool alive)
    {
        _gate.Prepare();
        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, "active"));
        DurableFile.TryCreateLink("commit", Path.Combine(Restore, "decision"));
        var started = File.ReadAllText($"/proc/{Environment.ProcessId}/stat").Split(") ")[^1].Split(' ')[19];
        File.WriteAllText(Path.Combine(Restore, "supervisor-pid"), $"{Environment.ProcessId} {(alive ? started : "1")}\n");

        _gate.IsAbandoned.ShouldBe(!alive);
        _gate.Settle().ShouldBe(!alive);
    }

    [Fact]
    public void FirstDecisionStands()
    {
        _gate.Prepare();

        _gate.ClaimCommit().ShouldBeTrue();
        _gate.TryAbort("too late").ShouldBeFalse();
        _gate.ClaimCommit().ShouldBeTrue();
        _gate.Decision.ShouldBe("commit");
    }

    [Fact]
    public void AbortedIsNotCommittedAnyMore()
    {
        _gate.Prepare();

        _gate.TryAbort("cancelled").ShouldBeTrue();
        _gate.ClaimCommit().ShouldBeFalse();
        _gate.TryAbort("again").ShouldBeTrue();
        _gate.Decision.ShouldBe("abort");
    }

    [Fact]
    public async Task OfManyClaimantsAllSeeTheSameDecision()
    {
        for (var round = 0; round < 50; round++)
        {
            await using var gate = NewGate();
            gate.Prepare();
            using var go = new Barrier(3);
            // The hook at its timeout makes the same link.
            var claims = await Task.WhenAll(
                Task.Run(() => At(go, gate.ClaimCommit), Token),
                Task.Run(() => At(go, () => !gate.TryAbort("race")), Token),
                Task.Run(() => At(go, () => !DurableFile.TryCreateLink("abort", Path.Combine(Restore, "decision")) && gate.Decision == "commit"), Token));

            claims.Distinct().Count().ShouldBe(1, $"{gate.Decision}: {string.Join(' ', claims)}");
        }
    }

    [Fact]
    public async Task AbortBesideAWrapperThatBeginsDoesNotFail()
    {
        for (var round = 0; round < 50; round++)
        {
            await using var gate = NewGate();
            gate.Prepare();
            using var go = new Barrier(2);
            var wrapper = Task.Run(
                () =>
                {
                    go.SignalAndWait(Token);
                    try
                    {
                        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, "active"));
                    }
                    catch (FileNotFoundException)
                    {
                        // The abort was faster.
                    }
                },
                Token);
            go.SignalAndWait(Token);

            gate.TryAbort("race").ShouldBeTrue();

            await wrapper;
            gate.State.ShouldBeOneOf("dead", "active");
        }
    }

    [Fact]
    public async Task DeadInitIsNotCommitted()
    {
        _gate.Prepare();
        await CreateAsync();
        using var process = System.Diagnostics.Process.Start("true");
        await process.WaitForExitAsync(Token);
        // The namespaces may be gone with it; the claim is what counts.
        Say($"ns {Environment.ProcessId}");
        Say($"restored {process.Id}");
        await _gate.RestoreAsync(Images, Work, lazy: false, Starting, Token);

        _gate.ClaimCommit().ShouldBeFalse();

        _gate.Decision.ShouldBe("abort");
    }

    [Fact]
    public void AbortDisarmsAndWakesWhoeverWaits()
    {
        _gate.Prepare();
        using var create = Open("create");
        using var gate = Open("gate");

        _gate.TryAbort("the operator\ncancelled it").ShouldBeTrue();

        _gate.State.ShouldBe("dead");
        ReadLine(create).ShouldBe("abort the operator cancelled it");
        ReadLine(gate).ShouldBe("abort");
    }

    [Fact]
    public void AbortOfARunningRestoreLeavesItsStateToTheWrapper()
    {
        _gate.Prepare();
        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, "active"));

        _gate.TryAbort("cancelled").ShouldBeTrue();

        _gate.State.ShouldBe("active");
    }

    [Fact]
    public async Task EndlessReasonDoesNotFillThePipe()
    {
        _gate.Prepare();
        var reason = new string('x', 1 << 20);

        (await Task.Run(() => _gate.TryAbort(reason), Token).WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBeTrue();

        using var create = Open("create");
        ReadLine(create).Length.ShouldBeInRange(100, 4096);
    }

    [Fact]
    public async Task DisposeEndsEveryWait()
    {
        _gate.Prepare();
        var created = _gate.WaitForCreateAsync([], Starting, Token);

        await _gate.DisposeAsync();
        await _gate.DisposeAsync();

        (await Should.ThrowAsync<MigrationException>(() => created)).Failure.Cause.ShouldBe("the event pipe was closed");
        (await _gate.WaitForResultAsync(Token)).ShouldBe("the event pipe was closed");
    }

    [Fact]
    public async Task WaitEndsWithItsToken()
    {
        _gate.Prepare();
        using var cancel = new CancellationTokenSource();
        var created = _gate.WaitForCreateAsync([], Starting, cancel.Token);

        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => created);
    }

    [Fact]
    public async Task NextDaemonTakesOver()
    {
        _gate.Prepare();
        await CreateAsync();
        File.Move(Path.Combine(Restore, "armed"), Path.Combine(Restore, "active"));
        await _gate.DisposeAsync();
        await using var next = NewGate();

        next.Attach(Environment.ProcessId);

        (next.State, next.Decision, next.InitPid).ShouldBe(("active", null, Environment.ProcessId));
        next.ClaimCommit().ShouldBeTrue();
        using var gate = Open("gate");
        await next.ReleaseAsync(() => Task.CompletedTask);
        ReadLine(gate).ShouldBe("commit");
        Say("result 0 restored");
        (await next.WaitForResultAsync(Token)).ShouldBeNull();
    }

    [Fact]
    public void NothingPreparedIsNothingToAbort()
    {
        _gate.TryAbort("nothing").ShouldBeTrue();
        _gate.Delete();
        _gate.State.ShouldBeNull();
    }

    [Fact]
    public void DeletedRestoreLeavesNoTrace()
    {
        _gate.Prepare();

        _gate.Delete();
        _gate.Delete();

        Directory.Exists(Restore).ShouldBeFalse();
        (_gate.State, _gate.Decision).ShouldBe((null, null));
    }

    private RestoreGate NewGate() => new(
        Restore, new RestoreTimeouts(TimeSpan.FromSeconds(2.5), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(2)), NullLogger.Instance);

    private Task CreateAsync(IReadOnlyList<string>? standardStreams = null)
    {
        Say($"create 42 0 {_bundle}");
        return _gate.WaitForCreateAsync(standardStreams ?? [], Starting, Token);
    }

    private static bool At(Barrier go, Func<bool> claim)
    {
        go.SignalAndWait(Token);
        return claim();
    }

    private void Say(string line) => Write(line + "\n");

    private void Write(string text)
    {
        using var events = Open("events");
        events.Write(Encoding.UTF8.GetBytes(text));
    }

    // As the shell opens it: for both, so that it never waits.
    private FileStream Open(string pipe) => new(Path.Combine(Restore, pipe), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);

    private static string ReadLine(FileStream pipe)
    {
        var line = new List<byte>();
        int next;
        while ((next = pipe.ReadByte()) != '\n')
        {
            next.ShouldBeGreaterThanOrEqualTo(0);
            line.Add((byte)next);
        }

        return Encoding.UTF8.GetString([.. line]);
    }
}
