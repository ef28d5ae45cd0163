using System.Threading.Channels;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Reporting;
using Spectre.Console;

namespace ContainerMigrate.Cli.Following;

/// <summary>Redraws two or three lines in place on a terminal, ten times a second at most.</summary>
internal sealed class LiveView : IMigrationView
{
    private static readonly TimeSpan FrameInterval = TimeSpan.FromMilliseconds(100);

    private readonly StandardStreams _streams;
    private readonly TimeProvider _time;
    private readonly IAnsiConsole _console;
    private readonly Channel<string> _linesAbove = Channel.CreateUnbounded<string>();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _drawing;
    private volatile MigrationStatus? _status;
    private volatile string? _note;
    private bool _warned;

    public LiveView(StandardStreams streams, TimeProvider time)
    {
        _streams = streams;
        _time = time;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = streams.Colors ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Out = new TerminalOutput(streams),
        });
        _drawing = _console.Live(Text.Empty).AutoClear(true).StartAsync(DrawAsync);
    }

    public void Show(MigrationStatus status)
    {
        _status = status;
        if (_warned || status.Findings.Count == 0)
        {
            return;
        }

        _warned = true;
        foreach (var finding in status.Findings.Where(f => f.Severity == CheckSeverity.Warning))
        {
            _linesAbove.Writer.TryWrite(SummaryText.Warning(finding));
        }
    }

    public void Note(string text) => _note = OneLine.Of(text);

    public async ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict)
    {
        await DisposeAsync();
        SummaryText.Write(_streams.Output, status, verdict);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_drawing.IsCompleted)
        {
            await _stop.CancelAsync();
            await _drawing;
        }

        _stop.Dispose();
    }

    private async Task DrawAsync(LiveDisplayContext display)
    {
        do
        {
            Draw(display);
        }
        while (await SleepAsync());

        Draw(display);
    }

    private void Draw(LiveDisplayContext display)
    {
        while (_linesAbove.Reader.TryRead(out var line))
        {
            _console.WriteLine(line);
        }

        if (_status is { } status)
        {
            // One column is left free: writing the last one makes some terminals wrap, and the frame would climb.
            display.UpdateTarget(ProgressFrame.Draw(status, _note, _time.GetUtcNow(), _streams.Width() - 1, _streams.Unicode));
        }
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

    /// <summary>Lets Spectre.Console write where the rest of the program writes, with the width read anew for every frame.</summary>
    private sealed class TerminalOutput(StandardStreams streams) : IAnsiConsoleOutput
    {
        public TextWriter Writer => streams.Output;

        public bool IsTerminal => true;

        public int Width => streams.Width();

        public int Height => 25;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }
}
