using System.Diagnostics;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Files;

/// <summary>Copies files between the two hosts by the programs that people take. rsync and socat are this machine's, with their libraries, since the hosts have none.</summary>
internal sealed class HostPrograms(BenchmarkLab lab)
{
    private const string Destination = "10.77.0.12";
    private const int Port = 7498;
    private const string Programs = "/var/lib/docker/bench-programs";

    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(10);

    /// <summary>Puts the programs on both hosts.</summary>
    public static async Task InstallAsync(CancellationToken cancellationToken)
    {
        foreach (var host in (string[])["h1", "h2"])
        {
            var script = $$"""
                "$0" rsync:rsync socat:socat
                folder=$("$1" root {{host}}){{Programs}}
                mkdir -p "$folder"
                for program in rsync socat; do
                  cp -L "$(command -v $program)" $(ldd "$(command -v $program)" | grep -o '/[^ ]*') "$folder"
                  printf '#!/bin/sh\nexec %s/ld-linux* --library-path %s %s/%s "$@"\n' {{Programs}} {{Programs}} {{Programs}} $program >"$folder/run-$program"
                  chmod +x "$folder/run-$program"
                done
                """;
            await using var process = new LabProcess("bash", ["-euc", script, BenchmarkLab.InRepository("tests", "need"), BenchmarkLab.InRepository("tests", "lab", "lab")], BenchmarkLab.Environment);
            process.Input.Close();
            (await process.WaitAsync(LastResort).WaitAsync(cancellationToken)).Checked();
        }
    }

    /// <summary>Seconds that `rsync -aHAX` takes, from a directory of the first host to one of the second, over a connection that is not encrypted.</summary>
    public async Task<double> RsyncAsync(string from, string to, CancellationToken cancellationToken)
    {
        await lab.H2.ShellAsync($"printf 'use chroot = no\\nuid = 0\\ngid = 0\\n[to]\\npath = {to}\\nread only = no\\n' >{Programs}/rsyncd.conf", cancellationToken);
        await using var daemon = lab.H2.Start($"{Programs}/run-rsync", "--daemon", "--no-detach", $"--address={Destination}", $"--port={Port}", $"--config={Programs}/rsyncd.conf");
        daemon.Input.Close();
        await ListensAsync(cancellationToken);
        var start = Stopwatch.GetTimestamp();
        await lab.H1.RunAsync([$"{Programs}/run-rsync", "-aHAX", $"{from}/", $"rsync://{Destination}:{Port}/to/"], cancellationToken);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        daemon.Terminate();
        await daemon.WaitAsync(LastResort).WaitAsync(cancellationToken);
        return seconds;
    }

    /// <summary>Seconds that `tar | nc`, with socat for nc, takes from a directory of the first host to one of the second.</summary>
    public async Task<double> TarAsync(string from, string to, CancellationToken cancellationToken)
    {
        await using var receiver = lab.H2.Start("sh", "-euc", $"{Programs}/run-socat -u -b 1048576 TCP-LISTEN:{Port},bind={Destination},reuseaddr - | tar -x --numeric-owner -C {to}");
        receiver.Input.Close();
        await ListensAsync(cancellationToken);
        var start = Stopwatch.GetTimestamp();
        await lab.H1.ShellAsync($"tar -c --numeric-owner -C {from} . | {Programs}/run-socat -u -b 1048576 - TCP:{Destination}:{Port}", cancellationToken);
        (await receiver.WaitAsync(LastResort).WaitAsync(cancellationToken)).Checked();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private Task<string> ListensAsync(CancellationToken cancellationToken) =>
        lab.H2.ShellAsync($"for i in $(seq 100); do ss -Hltn 'sport = :{Port}' | grep -q . && exit 0; sleep 0.05; done; exit 1", cancellationToken);
}
