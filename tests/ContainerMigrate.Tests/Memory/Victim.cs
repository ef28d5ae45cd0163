using System.Globalization;
using System.Reflection;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Cgroups;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A program in a cgroup of its own that does what the test says (victim.py), tracked, with a copy of its memory.</summary>
internal sealed class Victim : IAsyncDisposable
{
    private static readonly CancellationToken Cancellation = TestContext.Current.CancellationToken;
    private readonly ScratchCgroup _cgroup;
    private readonly IRunningProcess _process;
    private readonly StreamReader _answers;
    private readonly StreamWriter _orders;

    private Victim(ScratchCgroup cgroup, IRunningProcess process)
    {
        _cgroup = cgroup;
        _process = process;
        _answers = new StreamReader(process.StandardOutput);
        _orders = new StreamWriter(process.StandardInput) { AutoFlush = true };
    }

    internal string Cgroup => _cgroup.Path;

    internal int ProcessId { get; private set; }

    internal IMemoryTracking Tracking { get; private set; } = null!;

    /// <summary>Whether single pages are found: soft-dirty takes all of a huge page for written, and all of a mapping that a new one merges with.</summary>
    internal bool FindsPages { get; private set; }

    internal MemoryCopy Copy { get; } = new();

    internal CgroupFreezer Freezer { get; } = new();

    /// <summary>What it has said of its end, if it has ended.</summary>
    internal string Errors => _process.StandardError;

    /// <param name="seed">Random work instead of orders.</param>
    /// <param name="wrapper">A program in front, with its arguments.</param>
    internal static Task<Victim> StartAsync(int? seed = null, params string[] wrapper) => StartAsync(tracker: null, seed, wrapper);

    /// <param name="tracker">The one to use; null: the one that would be chosen.</param>
    /// <inheritdoc cref="StartAsync(int?, string[])"/>
    internal static async Task<Victim> StartAsync(string? tracker, int? seed = null, params string[] wrapper)
    {
        var path = Environment.GetEnvironmentVariable("PATH") ?? "";
        Assert.SkipUnless(path.Split(':').Any(directory => File.Exists(Path.Combine(directory, "python3"))), "needs python3");
        var cgroup = ScratchCgroup.Create();
        using var source = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("victim.py")!);
        // Behind a shell: what is traced must not be a child of the tracer's own process.
        string[] command = ["sh", "-c", "exec 3<&0; \"$@\" <&3 & wait $!; echo it ended with $? >&2", "sh", .. wrapper, "python3", "-c", await source.ReadToEndAsync(Cancellation), cgroup.Path, .. seed is { } number ? [number.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>()];
        var victim = new Victim(cgroup, await new ProcessRunner().StartAsync(new ProcessCommand(command[0], command[1..]), Cancellation));
        (await victim._answers.ReadLineAsync(Cancellation)).ShouldBe("ready", victim._process.StandardError);
        victim.ProcessId = int.Parse(File.ReadLines(cgroup.Path + "/cgroup.procs").First(), CultureInfo.InvariantCulture);
        var chosen = new MemoryTracker(new ProcessRunner(), tracker ?? (PageScan.IsAvailable ? MemoryTrackers.WriteProtect : MemoryTrackers.SoftDirty));
        var availability = await chosen.GetAvailabilityAsync(Cancellation);
        if (!availability.Available)
        {
            await victim.DisposeAsync();
            Assert.Skip(availability.Reason);
        }

        try
        {
            victim.Tracking = await chosen.StartAsync(cgroup.Path, Cancellation);
            victim.FindsPages = availability.Tracker == MemoryTrackers.WriteProtect;
            return victim;
        }
        catch
        {
            await victim.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs one line of Python there; the answer is its value.</summary>
    internal async Task<string> RunAsync(string line)
    {
        await OrderAsync(line);
        return await AnswerAsync();
    }

    /// <summary>The first half of <see cref="RunAsync"/>.</summary>
    internal Task OrderAsync(string line) => _orders.WriteLineAsync(line);

    /// <summary>The second half.</summary>
    internal async Task<string> AnswerAsync()
    {
        var answer = await _answers.ReadLineAsync(Cancellation) ?? "error: it has ended: " + _process.StandardError;
        return answer.StartsWith("error", StringComparison.Ordinal) ? throw new InvalidOperationException(answer) : answer;
    }

    /// <summary>Replaces its program by a new one of the same kind.</summary>
    internal async Task ReplaceProgramAsync()
    {
        await OrderAsync("again()");
        (await AnswerAsync()).ShouldBe("ready");
    }

    internal async Task<ulong> NumberAsync(string line) => ulong.Parse(await RunAsync($"({line})"), CultureInfo.InvariantCulture);

    /// <summary>One round of a migration: a scan, and everything that it reports read into the copy.</summary>
    internal async Task<MemoryScan> RoundAsync()
    {
        var scan = await Tracking.ScanAsync(Cancellation);
        Copy.Apply(scan, Tracking.Reader);
        return scan;
    }

    /// <summary>The pages reported of the victim's first process in one round.</summary>
    internal async Task<PageSet> WrittenAsync() => (await RoundAsync()).Processes.First(p => p.Process.HostId == ProcessId).Written;

    /// <summary>Freezes it, finishes the copy and compares every page with the truth; then lets it run on.</summary>
    /// <returns>Pages compared.</returns>
    internal async Task<long> CompareFrozenAsync()
    {
        await Freezer.FreezeAsync(Cgroup, TimeSpan.FromSeconds(10), Cancellation);
        try
        {
            await RoundAsync();
            return Copy.ShouldEqualMemoryOf(ProcessCgroup.ReadProcesses(Cgroup));
        }
        finally
        {
            await Freezer.ThawAsync(Cgroup, Cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Tracking is not null)
        {
            await Tracking.DisposeAsync();
        }

        await File.WriteAllTextAsync(Cgroup + "/cgroup.freeze", "0", CancellationToken.None);
        await File.WriteAllTextAsync(Cgroup + "/cgroup.kill", "1", CancellationToken.None);
        await _process.DisposeAsync();
        while ((await File.ReadAllTextAsync(Cgroup + "/cgroup.events", CancellationToken.None)).Contains("populated 1", StringComparison.Ordinal))
        {
            await Task.Yield(); // killed, and leaving
        }

        _cgroup.Dispose();
    }
}
