using System.Diagnostics;
using System.Text.Json.Nodes;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>A container host of the lab.</summary>
public sealed class LabHost(string name) : LabMember(name)
{
    /// <summary>Starts a container with `docker run -d` and returns its id.</summary>
    public Task<string> DockerRunAsync(string container, params string[] arguments) => RunAsync(["docker", "run", "-d", "--name", container, .. arguments]);

    /// <summary>Moves a container and follows the migration to its end, with `ctmigrate migrate --json`.</summary>
    public async Task<MigrationOutcome> MigrateAsync(string container, LabHost destination, params string[] options)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var outcome = new MigrationOutcome(await TryAsync(["ctmigrate", "migrate", container, destination.Name, "--json", .. options], TimeSpan.FromMinutes(8)));
        Measured.Write($"{Name} -> {destination.Name}: {outcome.Summary}");
        return outcome;
    }

    /// <summary>`docker inspect` of a container; null when there is none.</summary>
    public async Task<JsonNode?> InspectAsync(string container)
    {
        var result = await TryAsync("docker", "container", "inspect", container);
        return result.ExitCode == 0 ? JsonNode.Parse(result.Output)![0]!.DeepClone() : null;
    }

    /// <summary>State of a Docker container in Docker's words; "absent" when there is none.</summary>
    public async Task<string> StateAsync(string container) => (await InspectAsync(container))?["State"]!["Status"]!.GetValue<string>() ?? "absent";

    /// <summary>State of a container of plain runc in runc's words; "absent" when there is none.</summary>
    public async Task<string> RuncStateAsync(string container)
    {
        var result = await TryAsync("runc", "state", container);
        return result.ExitCode == 0 ? JsonNode.Parse(result.Output)!["status"]!.GetValue<string>() : "absent";
    }

    /// <summary>Returns when a container of Docker has logged a line that holds <paramref name="text"/>.</summary>
    public async Task WaitForLogAsync(string container, string text, TimeSpan? timeout = null)
    {
        await using var logs = Start("sh", "-c", $"exec docker logs -f {container} 2>&1");
        await logs.WaitForOutputAsync(l => l.Contains(text, StringComparison.Ordinal), timeout);
    }

    /// <summary>Removes every container, of Docker and of plain runc, with what tests/lab/bundle made around it or a migration brought along.</summary>
    public Task RemoveContainersAsync() => ShellAsync("""
        containers=$(docker ps -aq)
        [ -z "$containers" ] || docker rm -f -v $containers >/dev/null
        volumes=$(docker volume ls -q)
        [ -z "$volumes" ] || docker volume rm $volumes >/dev/null
        # Sockets of killed processes keep a namespace for minutes, and with it an address that the next test uses: its links go first.
        for name in $(ls /run/netns 2>/dev/null); do ip -n "$name" link del eth0 2>/dev/null || true; done
        mkdir -p /run/runc
        for container in $(ls /run/runc); do runc delete -f "$container"; done
        for bundle in /var/lib/bundles/* /var/lib/ctmigrate/bundles/*; do
          [ -d "$bundle" ] || continue
          # ctmigrated may hold the namespace for the seconds in which it announces: its link would answer others' packets.
          ip -n "${bundle##*/}" link del eth0 2>/dev/null || true
          ip netns del "${bundle##*/}" 2>/dev/null || true
          rm -rf "$bundle"
        done
        rm -rf /srv/*
        """);

    /// <summary>Everything on the host that a migration could leave behind: see <see cref="Leftovers"/>.</summary>
    public async Task<Leftovers> LeftoversAsync()
    {
        await using var process = new LabProcess(LabFixture.Program("leftovers"), [Name]);
        process.Input.Close();
        return Leftovers.Parse((await process.WaitAsync(TimeSpan.FromMinutes(2))).Checked().Lines);
    }

    /// <summary>`tests/lab/lab daemon HOST VERB`: start, stop, kill, restart, log.</summary>
    public async Task<string> DaemonAsync(string verb)
    {
        await using var process = new LabProcess(LabFixture.Program("lab"), ["daemon", Name, verb]);
        process.Input.Close();
        return (await process.WaitAsync(TimeSpan.FromMinutes(3))).Checked().Output;
    }

    /// <summary>The process of ctmigrated, which runs.</summary>
    public async Task<Process> DaemonProcessAsync() => Process.GetProcessById(int.Parse(await RunAsync("cat", "/run/ctmigrated.pid")));
}
