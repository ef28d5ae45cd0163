using System.Globalization;
using System.Text.Json.Nodes;
using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.Benchmarks.Results;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Files;

/// <summary>
/// How fast a volume moves beside programs that copy one, in turn and between the same two hosts: one large file beside `rsync -aHAX`, many small ones
/// beside `tar | nc`. All read from the page cache and write to a new ext4; a migration's time is that of its first round, the scan before it
/// included. Then 1 % of the large file's blocks are written, and all later rounds together are what that costs.
/// </summary>
internal sealed class FilesBenchmark(BenchmarkLab lab, int largeMib, int smallFiles)
{
    /// <summary><see cref="BenchmarkRun.Tool"/> of its results.</summary>
    public const string Tool = "files";

    private const string Large = "large file";
    private const string Small = "small files";
    private const string Container = "files";
    private const string Disk = "/srv/bench";
    private const string Volume = $"{Disk}/data";
    private const string CopyPlace = $"{Disk}/copy";

    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(10);

    // Holds the file open, as databases do, and writes when it is told to: one page of 4 KiB in each of 1 % of the blocks of 64 KiB, which others may call a block. Memory keeps the
    // migration busy between the rounds of files.
    private const string LargeProgram = """
        import os, random, sys, time
        memory = bytearray(random.randbytes(256 << 20))
        size = int(sys.argv[1]) << 20
        file = os.open("/data/file", os.O_RDWR | os.O_CREAT)
        for at in range(0, size, 1 << 20): os.pwrite(file, os.urandom(1 << 20), at)
        print("ready", flush=True)
        while not os.path.exists("/data/go"): time.sleep(0.005)
        blocks = size >> 16
        for block in random.sample(range(blocks), max(1, blocks // 100)): os.pwrite(file, os.urandom(4096), block << 16)
        while True: time.sleep(1)
        """;

    private const string SmallProgram = """
        import os, random, sys, time
        for i in range(int(sys.argv[1])):
            place = "/data/%03d" % (i % 500)
            if i < 500: os.mkdir(place)
            with open(place + "/file-%06d" % i, "wb") as file: file.write(random.randbytes(random.randrange(2000)))
        print("ready", flush=True)
        while True: time.sleep(1)
        """;

    /// <summary>Adds one result a pair to <paramref name="runs"/> as they come.</summary>
    public async Task RunAsync(int pairs, ICollection<BenchmarkRun> runs, CancellationToken cancellationToken)
    {
        var programs = new HostPrograms(lab);
        await HostPrograms.InstallAsync(cancellationToken);
        var diskMib = (2 * largeMib) + (smallFiles / 64) + 512;
        foreach (var (mode, program, size) in ((string, string, int)[])[(Large, LargeProgram, largeMib), (Small, SmallProgram, smallFiles)])
        {
            for (var number = 1; number <= pairs; number++)
            {
                var run = new BenchmarkRun { Tool = Tool, Runtime = "docker", Mode = mode, MemoryMib = 0, DirtyMibS = 0, Run = number };
                try
                {
                    // Of its own and new each time: what a full and busy file system takes for a new entry varies by twenty times.
                    await MakeDiskAsync("h1", diskMib, cancellationToken);
                    await MakeDiskAsync("h2", diskMib, cancellationToken);
                    await lab.H1.RunAsync(
                        ["docker", "run", "-d", "--name", Container, "--network", "lan", "--ip", Workload.Address, "-v", $"{Volume}:/data", Workload.Image, "python3", "-c", program, size.ToString(CultureInfo.InvariantCulture)], cancellationToken);
                    await lab.H1.ShellAsync($"until docker logs {Container} 2>&1 | grep -q ready; do sleep 0.1; done; sync -f {Disk}", cancellationToken);
                    await lab.H2.ShellAsync($"mkdir -p {CopyPlace}", cancellationToken);
                    var other = mode == Large ? await programs.RsyncAsync(Volume, CopyPlace, cancellationToken) : await programs.TarAsync(Volume, CopyPlace, cancellationToken);
                    await lab.H2.ShellAsync($"rm -rf {CopyPlace}; sync -f {Disk}", cancellationToken);
                    run = run with { Ok = true, OtherCopyS = Math.Round(other, 2) };
                    run = await MoveAsync(run, cancellationToken);
                }
                catch (Exception e) when (e is MoveFailedException or CommandFailedException or TimeoutException)
                {
                    run = run with { Ok = false, Reason = e.Message };
                }

                runs.Add(run);
                Console.Error.WriteLine($"bench: {Text(run)}");
                foreach (var host in (LabMember[])[lab.H1, lab.H2])
                {
                    await host.ShellAsync($"docker rm -f {Container} >/dev/null 2>&1 || true; docker volume rm bench >/dev/null 2>&1 || true; rm -rf {CopyPlace}; sync -f {Disk}", cancellationToken);
                }
            }
        }
    }

    /// <summary>Each pair, and the ones in the middle.</summary>
    public static IEnumerable<string> Report(IEnumerable<BenchmarkRun> runs)
    {
        var mine = runs.Where(r => r.Tool == Tool).ToList();
        foreach (var run in mine)
        {
            yield return Text(run);
        }

        foreach (var group in mine.Where(r => r.Ok).GroupBy(r => r.Mode))
        {
            var shares = group.Select(ShareOf).Order().ToList();
            yield return string.Create(CultureInfo.InvariantCulture, $"{group.Key}: {100 * shares[(shares.Count - 1) / 2]:0} % of the rate of {OtherOf(group.Key)} (median of {shares.Count}, {100 * shares[0]:0} to {100 * shares[^1]:0})");
        }
    }

    private static string OtherOf(string mode) => mode == Large ? "rsync -aHAX" : "tar | nc";

    private static double ShareOf(BenchmarkRun run) => run.OtherCopyS!.Value / run.FirstCopyS!.Value;

    private static string Text(BenchmarkRun run) => run.Ok
        ? string.Create(CultureInfo.InvariantCulture, $"{run.Mode}, pair {run.Run}: {run.SentBytes / 1048576.0:0} MiB, {OtherOf(run.Mode)} {run.OtherCopyS:0.0} s, first copy {run.FirstCopyS:0.0} s, {100 * ShareOf(run):0} %")
            + (run.Mode == Large ? string.Create(CultureInfo.InvariantCulture, $"; after 1 % of its blocks were written {100 * run.LaterShare:0.00} % of the bytes were sent again") : "")
        : $"{run.Mode}, pair {run.Run} FAILED: {run.Reason}";

    private async Task<BenchmarkRun> MoveAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var migration = lab.H1.Start("ctmigrate", "migrate", Container, lab.H2.Name, "--json");
        migration.Input.Close();
        if (run.Mode == Large)
        {
            // The first copy is over.
            await migration.WaitForOutputAsync(line => Parse(line)["activity"]?.GetValue<string>().StartsWith("pre-copy round", StringComparison.Ordinal) ?? false, LastResort).WaitAsync(cancellationToken);
            await lab.H1.ShellAsync($": >{Volume}/go", cancellationToken);
        }

        var command = await migration.WaitAsync(LastResort).WaitAsync(cancellationToken);
        if (command.ExitCode != 0)
        {
            throw new MoveFailedException($"exit code {command.ExitCode}: {string.Join("; ", command.ErrorLines)}");
        }

        var rounds = command.Lines.Select(line => Parse(line)["file_rounds"] as JsonArray).LastOrDefault(r => r?.Count > 0) ?? throw new MoveFailedException("no round of files");
        var first = rounds[0]!;
        var result = Parse(command.Lines[^1]);
        var sent = (long)first["sent_bytes"]!;
        var later = (long)result["files_ahead_bytes"]! + (long)result["files_in_pause_bytes"]! - sent;
        return run with
        {
            SentBytes = sent,
            FirstCopyS = Math.Round(((double)first["scan_ms"]! + (double)first["duration_ms"]!) / 1000, 2),
            LaterShare = Math.Round(later / (double)sent, 5),
            PauseMs = (double)result["pause_ms"]!,
            TotalMs = (double)result["total_ms"]!,
        };
    }

    private static JsonObject Parse(string line) => line.StartsWith('{') && line.EndsWith('}') ? JsonNode.Parse(line)!.AsObject() : [];

    private static async Task MakeDiskAsync(string host, int mebibytes, CancellationToken cancellationToken)
    {
        await using var process = BenchmarkLab.Start("disk", host, Disk, mebibytes.ToString(CultureInfo.InvariantCulture));
        process.Input.Close();
        (await process.WaitAsync(LastResort).WaitAsync(cancellationToken)).Checked();
    }
}
