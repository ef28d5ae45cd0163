using System.Collections.Concurrent;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Following;

/// <summary>Redraws a few lines in place on a terminal, ten times a second.</summary>
internal sealed class LiveView : IMigrationView
{
    private static readonly TimeSpan FrameInterval = TimeSpan.FromMilliseconds(100);

    private readonly StandardStreams _streams;
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<string> _above = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _drawing;
    private volatile MigrationStatus? _status;
    private volatile string? _note;
    private bool _warned;

    public LiveView(StandardStreams streams, TimeProvider time)
    {
        _streams = streams;
        _time = time;
        _drawing = Task.Run(DrawAsync);
    }

    public void Show(MigrationStatus status)
    {
        if (!_warned && status.Findings.Count > 0)
        {
            _warned = true;
            foreach (var line in SummaryText.Warnings(status).SelectMany(warning => Folding.Fold(warning, _streams.FoldWidth, "  ")))
            {
                _above.Enqueue(line);
            }
        }

        _status = status;
    }

    public void Note(string text) => _note = OneLine.Of(text);

    public async ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict)
    {
        await DisposeAsync();
        SummaryText.Write(_streams, status, verdict);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _drawing;
    }

    private async Task DrawAsync()
    {
        using var painter = new FramePainter(_streams);
        do
        {
            Draw(painter);
        }
        while (await SleepAsync());

        // What came since the last frame may hold lines that stay.
        Draw(painter);
        painter.Erase();
    }

    private void Draw(FramePainter painter)
    {
        if (_status is not { } status)
        {
            return;
        }

        var above = new List<string>();
        while (_above.TryDequeue(out var line))
        {
            above.Add(line);
        }

        // One column is left free: writing the last one makes some terminals wrap.
        painter.Paint(above, ProgressFrame.Draw(status, _note, _time.GetUtcNow(), _streams.Width() - 1, _streams.Unicode));
    }

    /// <summary>False once it is time to stop.</summary>
    private async Task<bool> SleepAsync()
    {
        try
        {
            await Task.Delay(FrameInterval, _time, _stop.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
