using System.Globalization;
using System.Text;
using Spectre.Console;

namespace ContainerMigrate.Cli.Following;

/// <summary>
/// Draws lines over those that it drew before. Spectre.Console styles them; the cursor is moved here, since its live display
/// neither erases what a longer line left behind nor knows how a terminal that was made narrower has wrapped the last frame.
/// Each frame is one write, so that no half of it is ever seen.
/// </summary>
internal sealed class FramePainter : IDisposable
{
    private const string EraseToEndOfLine = "\e[K";
    private const string EraseToEndOfScreen = "\e[J";

    private readonly StandardStreams _streams;
    private readonly StringWriter _buffer = new();
    private readonly IAnsiConsole _stylist;
    private int[] _drawn = [];

    public FramePainter(StandardStreams streams)
    {
        _streams = streams;
        _stylist = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = streams.Colors ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(_buffer),
        });
        // A line that is too long is ProgressFrame's fault; here nothing is folded.
        _stylist.Profile.Width = short.MaxValue;
    }

    /// <param name="above">Lines that stay, printed above the frame.</param>
    /// <param name="frame">One paragraph a line, none wider than the terminal.</param>
    public void Paint(IEnumerable<string> above, IReadOnlyList<Paragraph> frame)
    {
        var text = new StringBuilder();
        BackToStart(text);
        foreach (var line in above)
        {
            text.Append(line).Append(EraseToEndOfLine).Append('\n');
        }

        for (var i = 0; i < frame.Count; i++)
        {
            text.Append(i == 0 ? "" : "\n").Append(Styled(frame[i])).Append(EraseToEndOfLine);
        }

        _streams.Output.Write(text.Append(EraseToEndOfScreen));
        _drawn = [.. frame.Select(line => line.Length)];
    }

    /// <summary>Takes the frame away; the cursor is where it began.</summary>
    public void Erase()
    {
        var text = new StringBuilder();
        BackToStart(text);
        _streams.Output.Write(text.Append(EraseToEndOfScreen));
        _drawn = [];
    }

    public void Dispose() => _buffer.Dispose();

    private void BackToStart(StringBuilder text)
    {
        var width = Math.Max(_streams.Width(), 1);
        var rows = _drawn.Sum(length => Math.Max(1, (length + width - 1) / width));
        text.Append('\r');
        if (rows > 1)
        {
            text.Append(CultureInfo.InvariantCulture, $"\e[{rows - 1}A");
        }
    }

    private string Styled(Paragraph line)
    {
        _buffer.GetStringBuilder().Clear();
        _stylist.Write(line);
        return _buffer.ToString().TrimEnd('\n');
    }
}
