using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>
/// The last line of <c>--json</c>: <c>ok</c> and <c>exit_code</c> first, the fields of <see cref="MigrationResult"/> beside them when
/// it went well, <c>failure</c> and the findings when it did not, and what each host was left with either way.
/// </summary>
internal static class OutcomeJson
{
    public static string Of(MigrationStatus status, MigrationVerdict verdict)
    {
        var outcome = new JsonObject
        {
            ["ok"] = verdict.ExitCode == ExitCodes.Done,
            ["exit_code"] = verdict.ExitCode,
            ["id"] = status.Id,
            ["container"] = status.Container,
            ["runtime"] = status.Runtime,
            ["source"] = status.Source,
            ["destination"] = status.Destination,
            ["mode"] = status.Mode,
        };
        if (status.Tracker.Length > 0)
        {
            outcome["tracker"] = status.Tracker;
        }

        if (status.Result is { } result && JsonSerializer.SerializeToNode(result, ApiJson.Default.MigrationResult) is JsonObject fields)
        {
            foreach (var (name, value) in fields)
            {
                outcome[name] = value?.DeepClone();
            }
        }

        if (status.Failure is { } failure)
        {
            outcome["failure"] = JsonSerializer.SerializeToNode(failure, ApiJson.Default.MigrationFailure);
        }

        if (status.KeptBytes > 0)
        {
            outcome["kept_bytes"] = status.KeptBytes;
        }

        if (status.Findings.Count > 0)
        {
            outcome["findings"] = JsonSerializer.SerializeToNode(status.Findings, ApiJson.Default.IReadOnlyListCheckFinding);
        }

        outcome["source_state"] = verdict.SourceState;
        outcome["destination_state"] = verdict.DestinationState;
        return outcome.ToJsonString();
    }

    /// <summary>For a migration that the daemon did not even begin.</summary>
    public static string Of(MigrateRequest request, DaemonException error)
    {
        var outcome = new JsonObject
        {
            ["ok"] = false,
            ["exit_code"] = error.ExitCode,
            ["container"] = request.Container,
            ["destination"] = request.Host,
            ["message"] = error.Message,
        };
        if (error.Failure is { } failure)
        {
            outcome["failure"] = JsonSerializer.SerializeToNode(failure, ApiJson.Default.MigrationFailure);
        }

        return outcome.ToJsonString();
    }
}
