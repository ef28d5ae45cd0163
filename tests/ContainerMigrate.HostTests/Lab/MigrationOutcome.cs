using System.Text.Json;
using System.Text.Json.Nodes;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>What `ctmigrate migrate --json` has told: its exit status, its last line, and what it wrote for people.</summary>
public sealed class MigrationOutcome
{
    private readonly CommandResult _command;

    public MigrationOutcome(CommandResult command)
    {
        _command = command;
        Json = Parse(command.Lines is [.., var last] ? last : null);
    }

    public int ExitCode => _command.ExitCode;

    /// <summary>The last line of `--json`; empty when there was none.</summary>
    public JsonObject Json { get; }

    /// <summary>Lines of standard error.</summary>
    public IReadOnlyList<string> ErrorLines => _command.ErrorLines;

    public string Id => Text("id");

    public string SourceState => Text("source_state");

    public string DestinationState => Text("destination_state");

    /// <summary>Identifier of the container on the destination.</summary>
    public string DestinationId => Text("destination_id");

    public long SentBytes => Json["sent_bytes"]?.GetValue<long>() ?? 0;

    public int Rounds => Json["rounds"]?.GetValue<int>() ?? 0;

    public long FilesAheadBytes => Json["files_ahead_bytes"]?.GetValue<long>() ?? 0;

    public long FilesInPauseBytes => Json["files_in_pause_bytes"]?.GetValue<long>() ?? 0;

    public double PauseMs => Json["pause_ms"]?.GetValue<double>() ?? 0;

    /// <summary>Bytes that followed after the switchover.</summary>
    public long PostCopyBytes => (Json["post_copy"] as JsonObject)?["total_bytes"]?.GetValue<long>() ?? 0;

    /// <summary>Host, stage and cause of a failure.</summary>
    public JsonObject Failure => Json["failure"] as JsonObject ?? [];

    /// <summary>One line with what was measured.</summary>
    public string Summary => ExitCode == 0
        ? $"pause {PauseMs} ms, total {Json["total_ms"]} ms, {SentBytes / 1048576.0:0.0} MiB sent; {Json["pause_parts"]?.ToJsonString()} {Json["post_copy"]?.ToJsonString()}"
        : $"exit code {ExitCode}: {string.Join(" | ", ErrorLines)}";

    /// <summary>The container was moved.</summary>
    public void ShouldBeDone()
    {
        ExitCode.ShouldBe(0, ToString());
        SourceState.ShouldBe("removed");
        DestinationState.ShouldBeOneOf("running", "paused");
    }

    /// <summary>It failed before the handover: the error says where, in which stage, why, and what to do next.</summary>
    public void ShouldHaveFailed(LabHost host, string stage, params string[] cause)
    {
        ArgumentNullException.ThrowIfNull(host);
        ExitCode.ShouldBe(20, ToString());
        ErrorLines.ShouldContain(l => l.StartsWith($"ctmigrate: {host.Name}: {stage}: ", StringComparison.Ordinal) && cause.All(c => l.Contains(c, StringComparison.Ordinal)), ToString());
        ErrorLines.ShouldContain(l => l.StartsWith("  next: ", StringComparison.Ordinal), ToString());
        ShouldRunOnAsBefore();
    }

    /// <summary>The operator cancelled it before the handover.</summary>
    public void ShouldHaveBeenCancelled(string stage)
    {
        ExitCode.ShouldBe(21, ToString());
        ErrorLines.ShouldContain(l => l.EndsWith($": {stage}: cancelled by the operator", StringComparison.Ordinal), ToString());
        ShouldRunOnAsBefore();
    }

    public override string ToString() => $"{_command.Command}: exit code {ExitCode}\n{_command.Error}{_command.Output}";

    private void ShouldRunOnAsBefore()
    {
        SourceState.ShouldBe("running");
        ErrorLines.ShouldContain(l => l.Contains(" as before; ", StringComparison.Ordinal), ToString());
    }

    private string Text(string key) => Json[key]?.GetValue<string>() ?? "";

    private static JsonObject Parse(string? line)
    {
        try
        {
            return line is null ? [] : JsonNode.Parse(line) as JsonObject ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
