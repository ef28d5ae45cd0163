using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Cli.Units;
using ContainerMigrate.Migration;
using Spectre.Console;

namespace ContainerMigrate.Cli.Following;

/// <summary>One picture of a migration under way: what is being done, how far a transfer is, and a note.</summary>
internal static class ProgressFrame
{
    private const string Indent = "  ";
    private const int WidestBar = 40;

    // A bar shorter than this tells less than the figures beside it.
    private const int NarrowestBar = 8;

    // 1023 MiB of 99.9 GiB at 910 MB/s, 12 min 05 s left
    private const int RoomForFigures = 50;

    private static readonly Style Bold = new(decoration: Decoration.Bold);
    private static readonly Style Full = new(Color.Green);
    private static readonly Style Rest = new(decoration: Decoration.Dim);
    private static readonly Style Alarm = new(Color.Yellow);

    /// <param name="width">Columns that may be used; no line is longer.</param>
    /// <returns>One paragraph a line.</returns>
    public static IReadOnlyList<Paragraph> Draw(MigrationStatus status, string? note, DateTimeOffset now, int width, bool unicode)
    {
        var lines = new List<Paragraph> { Head(status, now, width, unicode) };
        if (Transfer(status, width, unicode) is { } transfer)
        {
            lines.Add(transfer);
        }

        if (status is { Phase: MigrationPhase.PreCopy, Rounds: [.., var round] })
        {
            lines.Add(new Paragraph(OneLine.Fit(Indent + MigrationText.Round(round), width, unicode), Rest));
        }
        else if (status is { Phase: MigrationPhase.PreCopy, FileRounds: [.., var files] })
        {
            lines.Add(new Paragraph(OneLine.Fit(Indent + MigrationText.FileRound(files), width, unicode), Rest));
        }

        if (note is not null)
        {
            lines.Add(new Paragraph(OneLine.Fit(Indent + note, width, unicode), Alarm));
        }

        return lines;
    }

    private static Paragraph Head(MigrationStatus status, DateTimeOffset now, int width, bool unicode)
    {
        var title = OneLine.Fit(MigrationText.Title(status), width, unicode);
        var stage = $"  {MigrationText.Stage(status)}";
        var time = $"  {Duration.FormatElapsed(now - status.StartedAt)}";
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
        var percent = FormattableString.Invariant($" {Math.Floor(fraction * 100),3}%  ");
        // As wide as the terminal allows, whatever the figures are just now: a bar that changes its length cannot be read.
        var bar = Math.Min(WidestBar, width - Indent.Length - percent.Length - RoomForFigures);
        if (bar < NarrowestBar)
        {
            return new Paragraph(OneLine.Fit(Indent + percent.TrimStart() + figures, width, unicode));
        }

        if (status.BytesPerSecond > 0 && fraction < 1)
        {
            var left = TimeSpan.FromSeconds(Math.Ceiling((status.TotalBytes - status.SentBytes) / status.BytesPerSecond));
            figures += left < TimeSpan.FromMinutes(1) ? FormattableString.Invariant($", {left.TotalSeconds:0} s left") : $", {Duration.Format(left)} left";
        }

        var full = (int)Math.Round(bar * fraction);
        return new Paragraph(Indent)
            .Append(new string(unicode ? '━' : '=', full), Full)
            .Append(new string(unicode ? '─' : '-', bar - full), Rest)
            .Append(percent)
            .Append(OneLine.Fit(figures, width - Indent.Length - bar - percent.Length, unicode));
    }
}
