using System.Text.Json;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Following;

/// <summary>One JSON object a line: snapshots as the daemon sends them (at least every change of stage, at most one a second beside), then the outcome.</summary>
internal sealed class JsonView(StandardStreams streams, TimeProvider time) : IMigrationView
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private string _stage = "";
    private long _lastLine;

    public void Show(MigrationStatus status)
    {
        var stage = $"{status.Phase} {status.Activity}";
        if (MigrationVerdict.HasEnded(status) || (stage == _stage && time.GetElapsedTime(_lastLine) < Interval))
        {
            return;
        }

        _stage = stage;
        _lastLine = time.GetTimestamp();
        // The findings do not change on the way; they come with the outcome.
        streams.Output.WriteLine(JsonSerializer.Serialize(status with { Findings = [] }, ApiJson.Default.MigrationStatus));
    }

    public void Note(string text) => streams.Error.WriteLine($"ctmigrate: {OneLine.Of(text)}");

    public ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict)
    {
        streams.Output.WriteLine(OutcomeJson.Of(status, verdict));
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
