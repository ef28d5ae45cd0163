using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Benchmarks.Lab;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>`ctmigrate migrate` without any option.</summary>
/// <param name="lab">Where.</param>
/// <param name="runtime">`docker` or `runc`.</param>
internal sealed class CtMigrateContender(BenchmarkLab lab, string runtime = "docker") : IContender
{
    /// <inheritdoc/>
    public string Tool => "ctmigrate";

    /// <inheritdoc/>
    public string Runtime => runtime;

    /// <inheritdoc/>
    public string Mode => "auto";

    /// <inheritdoc/>
    public Task PrepareAsync(Workload workload, CancellationToken cancellationToken) =>
        runtime == "docker" ? lab.H1.RunAsync(["docker", "run", "-d", .. workload.DockerArguments], cancellationToken) : BenchmarkLab.BundleAsync(lab.H1, workload, start: true, cancellationToken);

    /// <inheritdoc/>
    public async Task<MoveResult> MoveAsync(CancellationToken cancellationToken)
    {
        var command = await lab.H1.TryAsync(["ctmigrate", "migrate", Workload.Container, lab.H2.Name, "--json"], cancellationToken);
        if (command.ExitCode != 0)
        {
            throw new MoveFailedException($"exit code {command.ExitCode}: {string.Join("; ", command.ErrorLines)}");
        }

        var outcome = Parse(command) ?? throw new MoveFailedException($"no result in the last line of '{command.Command}'");
        return new MoveResult(
            (string?)outcome["mode"] ?? Mode,
            (long?)outcome["sent_bytes"] ?? 0,
            (long?)outcome["wire_bytes"],
            (double?)outcome["pause_ms"],
            outcome["pause_parts"] is JsonObject parts ? parts.ToDictionary(p => p.Key, p => (double?)p.Value ?? 0) : new Dictionary<string, double>(),
            (double?)outcome["predicted_ms"]);
    }

    /// <inheritdoc/>
    public async Task CleanUpAsync(CancellationToken cancellationToken)
    {
        foreach (var host in (LabMember[])[lab.H1, lab.H2])
        {
            await host.ShellAsync(runtime == "docker" ? "docker ps -aq | xargs -r docker rm -f >/dev/null" : BenchmarkLab.RemoveBundle, cancellationToken);
        }
    }

    private static JsonObject? Parse(CommandResult command)
    {
        try
        {
            return command.Lines is [.., var last] ? JsonNode.Parse(last) as JsonObject : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
