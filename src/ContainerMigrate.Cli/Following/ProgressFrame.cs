using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Cli.Units;
using ContainerMigrate.Migration;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ContainerMigrate.Cli.Following;

/// <summary>One picture of a migration under way: what is being done, how far a transfer is, and a note.</summary>
internal static class ProgressFrame
{
    private const string Indent = "  ";
    private const int WidestBar = 40;

    // A bar shorter than this tells less than the figures beside it.
    private const int NarrowestBar = 8;

    private static readonly Style Bold = new(decoration: Decoration.Bold);
    private static readonly Style Full = new(Color.Green);
    private static readonly Style Rest = new(decoration: Decoration.Dim);
    private static readonly Style Alarm = new(Color.Yellow);

    /// <param name="width">Columns that may be used; no line is longer.</param>
    public static IRenderable Draw(MigrationStatus status, string? note, DateTimeOffset now, int width, bool unicode)
    {
        var lines = new List<IRenderable> { Head(status, now, width, unicode) };
        if (Transfer(status, width, unicode) is { } transfer)
        {
            lines.Add(transfer);
        }

        if (note is not null)
        {
            lines.Add(new Text(OneLine.Fit(Indent + note, width, unicode), Alarm));
        }

        return new Rows(lines);
    }

    private static Paragraph Head(MigrationStatus status, DateTimeOffset now, int width, bool unicode)
    {
        var elapsed = Duration.Format(TimeSpan.FromSeconds(Math.Max(0, Math.Floor((now - status.StartedAt).TotalSeconds * 10) / 10)));
        var title = OneLine.Fit(MigrationText.Title(status), width, unicode);
        var stage = $"  {MigrationText.Stage(status)}";
        var time = $"  {elapsed}";
        if (title.Length + stage.Length + time.Length > width)
        {
            time = "";
        }

        return new Paragraph()
            .Append(title, Bold)
            .Append(OneLine.Fit(stage, width - title.Length, unicode), status.Phase == MigrationPhase.InDoubt ? Alarm : null)
            .Append(time, Rest);
    }

    private static Paragraph? Transfer(MigrationStatus status, int width, bool unicode)
    {
        var figures = MigrationText.Transfer(status);
        if (figures.Length == 0)
        {
            return null;
        }

        if (status.TotalBytes <= 0)
        {
            return new Paragraph(OneLine.Fit(Indent + figures, width, unicode));
        }

        var fraction = Math.Clamp((double)status.SentBytes / status.TotalBytes, 0, 1);
        var left = status.BytesPerSecond > 0 && fraction < 1
            ? $", {Duration.Format(TimeSpan.FromSeconds(Math.Ceiling((status.TotalBytes - status.SentBytes) / status.BytesPerSecond)))} left"
            : "";
        var percent = FormattableString.Invariant($" {Math.Floor(fraction * 100),3}%  ");
        var room = width - Indent.Length - percent.Length - figures.Length;
        var bar = Math.Min(WidestBar, room - left.Length);
        if (bar < NarrowestBar)
        {
            left = "";
            bar = Math.Min(WidestBar, room);
        }

        if (bar < NarrowestBar)
        {
            return new Paragraph(OneLine.Fit(Indent + percent.Trim() + "  " + figures, width, unicode));
        }

        var full = (int)Math.Round(bar * fraction);
        return new Paragraph(Indent)
            .Append(new string(unicode ? '━' : '=', full), Full)
            .Append(new string(unicode ? '─' : '-', bar - full), Rest)
            .Append(percent)
            .Append(figures + left);
    }
}
