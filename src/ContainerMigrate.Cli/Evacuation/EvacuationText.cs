using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Evacuation;

/// <summary>Tables and JSON of an evacuation.</summary>
internal static class EvacuationText
{
    public static void WritePlan(StandardStreams streams, IReadOnlyList<PlannedMove> plan, bool json)
    {
        if (json)
        {
            streams.Output.WriteLine(new JsonObject
            {
                ["plan"] = new JsonArray([.. plan.Select(m => (JsonNode)new JsonObject
                {
                    ["container"] = m.Container.Name, ["runtime"] = m.Container.Runtime, ["host"] = m.Hosts.Count > 0 ? m.Hosts[0] : null, ["way"] = WayOf(m), ["predicted_pause_ms"] = m.PredictedPauseMs, ["reason"] = m.Reason,
                })]),
            }.ToJsonString());
            return;
        }

        Write(streams, ["CONTAINER", "RUNTIME", "TO", "WAY", "PAUSE", "WHY NOT"], plan.Select(m => new[]
        {
            m.Container.Name, m.Container.Runtime, m.Hosts.Count > 0 ? m.Hosts[0] : "-", WayOf(m) ?? "-", m.PredictedPauseMs is { } pause ? Units.Duration.Format(TimeSpan.FromMilliseconds(pause)) : "-", m.Reason,
        }));
    }

    private static string? WayOf(PlannedMove move) => move.Save ? EvacuationLabels.Save : move.Hosts.Count == 0 ? null : move.Offline ? EvacuationLabels.Offline : EvacuationLabels.Live;

    /// <summary>What became of each container.</summary>
    /// <returns>The exit code that follows.</returns>
    public static int WriteEnd(StandardStreams streams, IReadOnlyList<MoveOutcome> outcomes, bool json)
    {
        var exitCode = outcomes.All(o => o.IsSettled) ? ExitCodes.Done : ExitCodes.EvacuationPartial;
        WriteOutcomes(streams, outcomes, exitCode, json);
        return exitCode;
    }

    public static void WriteOutcomes(StandardStreams streams, IReadOnlyList<MoveOutcome> outcomes, int exitCode, bool json)
    {
        if (json)
        {
            streams.Output.WriteLine(new JsonObject
            {
                ["ok"] = exitCode == 0,
                ["exit_code"] = exitCode,
                ["containers"] = new JsonArray([.. outcomes.Select(o => (JsonNode)new JsonObject
                {
                    ["container"] = o.Container, ["runtime"] = o.Runtime, ["host"] = o.Host, ["result"] = o.Result, ["detail"] = o.Detail, ["id"] = o.MigrationId,
                })]),
            }.ToJsonString());
            return;
        }

        streams.Output.WriteLine();
        Write(streams, ["CONTAINER", "RUNTIME", "HOST", "RESULT", ""], outcomes.Select(o => new[] { o.Container, o.Runtime, o.Host.Length > 0 ? o.Host : "-", o.Result, o.Detail }));
    }

    private static void Write(StandardStreams streams, string[] head, IEnumerable<string[]> rows)
    {
        var table = new TextTable();
        table.Add(head);
        foreach (var row in rows)
        {
            table.Add(row);
        }

        table.Write(streams.Output, streams.FoldWidth, colors: false);
    }
}
