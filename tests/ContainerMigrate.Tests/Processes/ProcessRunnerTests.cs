using System.Diagnostics;
using ContainerMigrate.Linux.Processes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Processes;

public sealed class ProcessRunnerTests
{
    private static readonly ProcessRunner Runner = new();

    private static ProcessCommand Shell(string script) => new("/bin/sh", "-c", script);

    [Fact]
    public async Task GivesExitCodeAndBothOutputs()
    {
        var result = await Runner.RunAsync(Shell("echo out; echo err >&2; exit 3"), CancellationToken.None);

        result.ShouldBe(new ProcessResult(3, "out\n", "err\n") { Elapsed = result.Elapsed });
        result.Succeeded.ShouldBeFalse();
        result.FailureReason.ShouldBe("err");
    }

    [Fact]
    public async Task GivesSignalAsShellsDo()
    {
        var result = await Runner.RunAsync(Shell("kill -9 $$"), CancellationToken.None);

        result.ExitCode.ShouldBe(137);
    }

    [Fact]
    public async Task SaysWhenThereIsNoSuchProgram()
    {
        var result = await Runner.RunAsync(new ProcessCommand("no-such-program-here"), CancellationToken.None);

        result.ExitCode.ShouldBe(ProcessResult.NotStarted);
        result.FailureReason.ShouldBe("no-such-program-here: No such file or directory");
        await Should.ThrowAsync<ProcessStartException>(() => Runner.StartAsync(new ProcessCommand("no-such-program-here"), CancellationToken.None));
    }

    [Fact]
    public async Task SaysWhenTheWorkingDirectoryIsMissing()
    {
        var result = await Runner.RunAsync(Shell("true") with { WorkingDirectory = "/no/such/place" }, CancellationToken.None);

        result.FailureReason.ShouldContain("/no/such/place");
    }

    [Fact]
    public async Task PassesInputArgumentsEnvironmentAndDirectory()
    {
        var command = Shell("cat; pwd; echo \"$FRUIT\"; echo \"${HOME-none}\"") with
        {
            StandardInput = "grüße\n",
            WorkingDirectory = "/usr",
            Environment = new Dictionary<string, string?> { ["FRUIT"] = "a b", ["HOME"] = null },
        };

        var result = await Runner.RunAsync(command, CancellationToken.None);

        result.StandardOutput.ShouldBe("grüße\n/usr\na b\nnone\n");
    }

    [Fact]
    public async Task FindsTheEndOfInputWhereNoneIsGiven()
    {
        var result = await Runner.RunAsync(new ProcessCommand("cat"), CancellationToken.None);

        result.Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task KeepsTheEndOfALongOutput()
    {
        var result = await Runner.RunAsync(Shell("seq 1 100000") with { MaxOutputBytes = 14 }, CancellationToken.None);

        result.StandardOutput.ShouldBe("99999\n100000\n"[^13..].PadLeft(14, '\n'));
        result.OutputTruncated.ShouldBeTrue();
    }

    [Fact]
    public async Task DoesNotMindAProgramThatReadsNoInput()
    {
        var result = await Runner.RunAsync(Shell("exit 0") with { StandardInput = new string('x', 1 << 20) }, CancellationToken.None);

        result.Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task DoesNotPassOnIgnoredSignals()
    {
        // .NET ignores SIGPIPE; a child that inherited that would write into the void for ever.
        var result = await Runner.RunAsync(Shell("grep SigIgn /proc/self/status"), CancellationToken.None);

        // SigIgn: 16 hexadecimal digits, signal 1 in bit 0; the C library ignores 32 and 33 for itself.
        var ignored = Convert.ToUInt64(result.StandardOutput.Split(':')[1].Trim(), 16);
        (ignored & 0x7FFF_FFFF).ShouldBe(0ul);
    }

    [Fact]
    public async Task StopsTheWholeGroupAtTheTimeout()
    {
        var result = await Runner.RunAsync(
            Shell("sleep 1000 & echo $!; trap '' TERM; sleep 1000; sleep 1000") with { Timeout = TimeSpan.FromMilliseconds(200), StopGrace = TimeSpan.FromMilliseconds(200) },
            CancellationToken.None);

        result.TimedOut.ShouldBeTrue();
        result.Succeeded.ShouldBeFalse();
        result.ExitCode.ShouldBe(128 + 9);
        IsRunning(int.Parse(result.StandardOutput)).ShouldBeFalse();
    }

    [Fact]
    public async Task LetsAProgramEndGracefullyWhenCancelled()
    {
        var marker = Path.GetTempFileName();
        using var cancellation = new CancellationTokenSource();
        var run = Runner.RunAsync(Shell($"trap 'echo stopped > {marker}; exit' TERM; echo $$ > {marker}; while :; do sleep 0.01; done"), cancellation.Token);
        await WaitUntilAsync(() => File.ReadAllText(marker).Length > 0);

        await cancellation.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => run);
        (await File.ReadAllTextAsync(marker, CancellationToken.None)).ShouldBe("stopped\n");
        File.Delete(marker);
    }

    [Fact]
    public async Task LeavesADaemonAloneThatTheProgramStarted()
    {
        var watch = Stopwatch.StartNew();

        var result = await Runner.RunAsync(Shell("sleep 20 & echo $!"), CancellationToken.None);

        // The daemon holds our pipe; that must not hold us.
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
        var daemon = int.Parse(result.StandardOutput);
        IsRunning(daemon).ShouldBeTrue();
        Process.GetProcessById(daemon).Kill();
    }

    [Fact]
    public async Task StreamsBothWays()
    {
        await using var process = await Runner.StartAsync(new ProcessCommand("tr", "a-z", "A-Z"), CancellationToken.None);

        await process.StandardInput.WriteAsync("quiet"u8.ToArray(), CancellationToken.None);
        await process.StandardInput.DisposeAsync();
        using var reader = new StreamReader(process.StandardOutput);

        (await reader.ReadToEndAsync(CancellationToken.None)).ShouldBe("QUIET");
        (await process.WaitAsync(CancellationToken.None)).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task IsGoneAfterDisposal()
    {
        int id;
        await using (var process = await Runner.StartAsync(new ProcessCommand("sleep", "1000"), CancellationToken.None))
        {
            id = process.Id;
            IsRunning(id).ShouldBeTrue();
        }

        IsRunning(id).ShouldBeFalse();
    }

    [Fact]
    public async Task HandsOverDescriptors()
    {
        var path = Path.GetTempFileName();
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
        {
            var command = Shell("echo given >&7") with { Descriptors = new Dictionary<int, System.Runtime.InteropServices.SafeHandle> { [7] = handle } };
            (await Runner.RunAsync(command, CancellationToken.None)).Succeeded.ShouldBeTrue();
        }

        (await File.ReadAllTextAsync(path, CancellationToken.None)).ShouldBe("given\n");
        File.Delete(path);
    }

    [Fact]
    public async Task LeaksNoDescriptors()
    {
        var path = Path.GetTempFileName();
        using var open = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Delete, 1, FileOptions.DeleteOnClose);

        var result = await Runner.RunAsync(Shell("ls -l /proc/$$/fd"), CancellationToken.None);

        result.StandardOutput.ShouldContain("pipe:");
        result.StandardOutput.ShouldNotContain(path);
    }

    private static bool IsRunning(int pid) => Directory.Exists($"/proc/{pid}");

    private static async Task WaitUntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(5);
        }
    }

    [Fact]
    public async Task ShowsFilesInThePlaceOfOthersToTheProgramAlone()
    {
        var directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            var (shown, hidden) = (Path.Combine(directory, "shown"), Path.Combine(directory, "hidden"));
            await File.WriteAllTextAsync(shown, "shown", TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(hidden, "hidden", TestContext.Current.CancellationToken);

            var result = await Runner.RunAsync(new ProcessCommand("cat", hidden) { Overmounts = [new Overmount(shown, hidden)] }, CancellationToken.None);

            result.StandardOutput.ShouldBe("shown");
            (await File.ReadAllTextAsync(hidden, TestContext.Current.CancellationToken)).ShouldBe("hidden");
            var missing = await Runner.RunAsync(new ProcessCommand("cat", hidden) { Overmounts = [new Overmount(shown + "2", hidden)] }, CancellationToken.None);
            missing.FailureReason.ShouldContain($"mounting {shown}2 over {hidden}: No such file or directory");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
