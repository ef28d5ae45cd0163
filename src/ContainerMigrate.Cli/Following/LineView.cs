using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Following;

/// <summary>Plain lines for pipes and logs: one at every change of stage, and one every few seconds of a long transfer.</summary>
internal sealed class LineView(StandardStreams streams, TimeProvider time) : IMigrationView
{
    private static readonly TimeSpan TransferInterval = TimeSpan.FromSeconds(5);

    private string _stage = "";
    private long _lastLine;
    private bool _warned;
    private int _rounds;
    private int _fileRounds;

    public void Show(MigrationStatus status)
    {
        WriteWarnings(status);
        if (MigrationVerdict.HasEnded(status))
        {
            return;
        }

        for (; _fileRounds < status.FileRounds.Count; _fileRounds++)
        {
            streams.Output.WriteLine($"{MigrationText.Title(status)}  {MigrationText.FileRound(status.FileRounds[_fileRounds])}");
        }

        for (; _rounds < status.Rounds.Count; _rounds++)
        {
            streams.Output.WriteLine($"{MigrationText.Title(status)}  {MigrationText.Round(status.Rounds[_rounds])}");
        }

        var stage = MigrationText.Stage(status);
        var transfer = MigrationText.Transfer(status);
        if (stage == _stage && (transfer.Length == 0 || time.GetElapsedTime(_lastLine) < TransferInterval))
        {
            return;
        }

        _stage = stage;
        _lastLine = time.GetTimestamp();
        streams.Output.WriteLine(transfer.Length == 0
            ? $"{MigrationText.Title(status)}  {stage}"
            : $"{MigrationText.Title(status)}  {stage}  {transfer}");
    }

    public void Note(string text) => streams.Error.WriteLine($"ctmigrate: {OneLine.Of(text)}");

    public ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict)
    {
        WriteWarnings(status);
        SummaryText.Write(streams, status, verdict);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void WriteWarnings(MigrationStatus status)
    {
        if (_warned || status.Findings.Count == 0)
        {
            return;
        }

        _warned = true;
        foreach (var warning in SummaryText.Warnings(status))
        {
            streams.Output.WriteLine(warning);
        }
    }
}
