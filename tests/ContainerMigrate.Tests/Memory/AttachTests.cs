using System.Diagnostics;
using System.Globalization;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program notices nothing of being attached, and what cannot be attached is copied whole.</summary>
public sealed class AttachTests(ITestOutputHelper output)
{
    private static readonly CancellationToken Cancellation = TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("c.usleep(300000)", "0")]
    [InlineData("c.poll(None, 0, 300)", "0")]
    [InlineData("c.select(0, None, None, None, ctypes.c_char_p((0).to_bytes(8, 'little') + (300000).to_bytes(8, 'little')))", "0")]
    [InlineData("os.read(pipe[0], 9)", "b'x'")]
    [InlineData("os.waitpid(pid, 0)[1]", "9")]
    public async Task ASystemCallThatIsInterruptedGoesOn(string call, string result)
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("pipe = os.pipe(); pid = child(lambda: None)");
        await victim.RunAsync("threading.Thread(target=lambda: [time.sleep(0.3), os.write(pipe[1], b'x'), os.kill(pid, 9)], daemon=True).start()");
        await victim.OrderAsync($"interrupted(lambda: {call})");
        var answer = victim.AnswerAsync();
        var attached = 0;
        while (!answer.IsCompleted)
        {
            await using var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(victim.Cgroup, Cancellation);
            attached += (await tracking.ScanAsync(Cancellation)).Processes.Count(p => p.NotTracked is null);
        }

        (await answer).ShouldBe($"({result}, True)");
        attached.ShouldBeGreaterThan(0);
        output.WriteLine($"attached {attached} times");
    }

    [Fact]
    public async Task NoSignalIsLost()
    {
        await using var victim = await Victim.StartAsync();
        var target = int.Parse(await victim.RunAsync("os.getpid()"), CultureInfo.InvariantCulture);
        await victim.RunAsync("signal.signal(signal.SIGRTMIN + 3, count)");
        await victim.RunAsync("sender = child(lambda: None)");
        await victim.OrderAsync("[(signal.sigqueue if hasattr(signal, 'sigqueue') else os.kill)(os.getpid(), signal.SIGRTMIN + 3) or time.sleep(0.0001) for _ in range(5000)] and counted");
        var answer = victim.AnswerAsync();
        var attached = 0;
        while (!answer.IsCompleted)
        {
            await using var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(victim.Cgroup, Cancellation);
            attached += (await tracking.ScanAsync(Cancellation)).Processes.Count(p => p.Process.HostId == target && p.NotTracked is null);
        }

        (await answer).ShouldBe("5000");
        attached.ShouldBeGreaterThan(0);
        output.WriteLine($"attached {attached} times");
    }

    [Fact]
    public async Task AStoppedProgramIsAttachedAndStaysStopped()
    {
        await using var victim = await Victim.StartAsync();
        var child = await victim.RunAsync("child(lambda: None)");
        await victim.RunAsync($"os.kill({child}, signal.SIGSTOP); os.waitpid({child}, os.WUNTRACED)");

        (await victim.RoundAsync()).Processes.ShouldAllBe(p => p.NotTracked == null);
        Status(child, "State").ShouldStartWith("T");
        await victim.CompareFrozenAsync();
        await victim.RunAsync($"os.kill({child}, signal.SIGCONT); os.waitpid({child}, os.WCONTINUED)");
    }

    [Fact]
    public async Task StoppingAndContinuingItMeanwhileIsNotMixedUp()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(50); worker = child(lambda: None)");
        await victim.OrderAsync("[os.kill(worker, s) or time.sleep(0.0003) for _ in range(3000) for s in (signal.SIGSTOP, signal.SIGCONT)] and worker");
        var answer = victim.AnswerAsync();
        var attached = 0;
        while (!answer.IsCompleted)
        {
            await using var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(victim.Cgroup, Cancellation);
            attached += (await tracking.ScanAsync(Cancellation)).Processes.Count(p => p.NotTracked is null);
        }

        var worker = await answer;
        Status(worker, "State").ShouldStartWith("S");
        Status(worker, "TracerPid").ShouldBe("0");
        output.WriteLine($"attached {attached} times");
    }

    [Fact]
    public async Task AFreezeInTheMiddleLeavesNothingOpenInTheProgram()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("pids = [child(lambda: None) for _ in range(10)]");
        var before = Descriptors();
        for (var round = 0; round < 8; round++)
        {
            await using var tracking = await new MemoryTracker(new ProcessRunner()).StartAsync(victim.Cgroup, Cancellation);
            var scan = tracking.ScanAsync(Cancellation);
            for (var spin = Stopwatch.StartNew(); spin.Elapsed.TotalMilliseconds < 0.6 * round;)
            {
                // The scan gets this far, and no further.
            }

            await victim.Freezer.FreezeAsync(victim.Cgroup, TimeSpan.FromSeconds(10), Cancellation);
            await scan;
            await victim.Freezer.ThawAsync(victim.Cgroup, Cancellation);
            (await tracking.ScanAsync(Cancellation)).Processes.ShouldAllBe(p => p.NotTracked == null);
        }

        Descriptors().ShouldBe(before);
        (await victim.RunAsync("6 * 7")).ShouldBe("42");

        string[] Descriptors() =>
            [.. File.ReadAllLines(victim.Cgroup + "/cgroup.procs").Order().SelectMany(id => Directory.GetFiles($"/proc/{id}/fd").Order())];
    }

    [Fact]
    public async Task ASeccompFilterThatKillsForUserfaultfdIsPassedByOnce()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("signal.signal(signal.SIGUSR1, lambda *_: c.syscall(323, 1))");
        var child = await victim.RunAsync("child(lambda: forbid(323))");

        var scan = await victim.RoundAsync();
        scan.Processes.Single(p => Text(p.Process.HostId) == child).NotTracked.ShouldBeNull();
        await victim.CompareFrozenAsync();

        // It is in force again: the program's own call ends with SIGSYS.
        (await victim.RunAsync($"os.kill({child}, signal.SIGUSR1) or os.WTERMSIG(os.waitpid({child}, 0)[1])")).ShouldBe("31");
    }

    [Fact]
    public async Task AProgramUnderADebuggerIsCopiedWhole()
    {
        await using var victim = await Victim.StartAsync();
        var child = await victim.RunAsync("child(lambda: c.ptrace(0, 0, None, None))");
        await victim.RoundAsync();

        var scan = await victim.RoundAsync();
        var traced = scan.Processes.Single(p => Text(p.Process.HostId) == child);
        traced.NotTracked.ShouldBe($"it is being traced by process {victim.ProcessId}");
        traced.Written.PageCount.ShouldBeGreaterThan(100);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task AProgramWithAUserfaultfdOfItsOwnIsCopiedWhole()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("f = ok(c.syscall(323, 0x80001), 'userfaultfd')");
        await victim.RoundAsync();

        var process = (await victim.RoundAsync()).Processes.ShouldHaveSingleItem();
        process.NotTracked.ShouldBe("it uses userfaultfd itself");
        process.Written.PageCount.ShouldBeGreaterThan(100);
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task AProgramFirstSeenFrozenIsCopiedWholeAndAttachedLater()
    {
        await using var victim = await Victim.StartAsync();
        await victim.CompareFrozenAsync();
        var process = (await victim.RoundAsync()).Processes.ShouldHaveSingleItem();
        process.NotTracked.ShouldBeNull();
        process.IsNew.ShouldBeFalse();
        await victim.CompareFrozenAsync();
    }

    [Fact]
    public async Task NothingIsLeftBehind()
    {
        await using var victim = await Victim.StartAsync();
        await victim.RunAsync("a = mapped(300); fill(a, 300, 7)");
        await victim.RunAsync("os.nice(5)");
        var descriptors = Directory.GetFiles($"/proc/{victim.ProcessId}/fd").Length;
        await victim.RoundAsync();
        HasTrackedMappings(victim).ShouldBeTrue();

        await victim.Tracking.DisposeAsync();
        HasTrackedMappings(victim).ShouldBeFalse();
        (await victim.RunAsync("os.sched_getscheduler(0), os.nice(0)")).ShouldBe("(0, 5)");
        Status(Text(victim.ProcessId), "TracerPid").ShouldBe("0");
        Directory.GetFiles($"/proc/{victim.ProcessId}/fd").Length.ShouldBe(descriptors);
        await Should.ThrowAsync<ObjectDisposedException>(() => victim.Tracking.ScanAsync(Cancellation));

        static bool HasTrackedMappings(Victim victim) =>
            File.ReadLines($"/proc/{victim.ProcessId}/smaps").Any(l => l.StartsWith("VmFlags:", StringComparison.Ordinal) && l.Contains(" uw", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AScanThatIsCancelledLosesNothing()
    {
        await using var victim = await Victim.StartAsync();
        var start = await victim.NumberAsync("a := mapped(30)");
        await victim.RunAsync("pids = [child(lambda: None) for _ in range(20)]");
        await victim.RoundAsync();
        var cancelled = 0;
        for (var page = 0; page < 30; page++)
        {
            await victim.RunAsync($"put(a, {page}, {page + 1})");
            using var source = new CancellationTokenSource();
            var scan = victim.Tracking.ScanAsync(source.Token);
            source.CancelAfter(TimeSpan.FromMilliseconds(1 + (page % 3)));
            try
            {
                victim.Copy.Apply(await scan, victim.Tracking.Reader);
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }
        }

        output.WriteLine($"{cancelled} of 30 scans were cancelled");
        await victim.CompareFrozenAsync();
        victim.Copy.Page(victim.ProcessId, start).ShouldNotBeNull();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Status(string process, string field) =>
        File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith(field + ":", StringComparison.Ordinal)).Split(':')[1].Trim();
}
