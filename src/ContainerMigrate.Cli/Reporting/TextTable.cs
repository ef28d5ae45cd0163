using System.Text;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>
/// Aligned columns without rules; the last one is folded at the width of the terminal. Written here because Spectre.Console's
/// table costs 50 ms of start time, more than everything else that these verbs do.
/// </summary>
internal sealed class TextTable
{
    private const string Gap = "  ";

    private readonly List<string[]> _rows = [];
    private readonly Func<string, string?>? _colorOfFirst;

    /// <param name="colorOfFirst">Gives the SGR colour of a first cell, or null for none.</param>
    public TextTable(Func<string, string?>? colorOfFirst = null) => _colorOfFirst = colorOfFirst;

    /// <summary>Adds a row; line breaks within the last cell are kept, everything else is made one line.</summary>
    public void Add(params string[] cells)
    {
        for (var i = 0; i < cells.Length - 1; i++)
        {
            cells[i] = OneLine.Of(cells[i]);
        }

        _rows.Add(cells);
    }

    /// <param name="width">Columns to fold at; <see cref="int.MaxValue"/> for none.</param>
    public void Write(TextWriter output, int width, bool colors, string indent = "")
    {
        var columns = _rows.Count == 0 ? 0 : _rows.Max(row => row.Length);
        var widths = new int[columns];
        foreach (var row in _rows)
        {
            for (var i = 0; i < row.Length - 1; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Length);
            }
        }

        foreach (var row in _rows)
        {
            WriteRow(output, row, widths, width, colors, indent);
        }
    }

    private void WriteRow(TextWriter output, string[] row, int[] widths, int width, bool colors, string indent)
    {
        var line = new StringBuilder(indent);
        var position = indent.Length;
        for (var i = 0; i < row.Length - 1; i++)
        {
            var color = i == 0 && colors ? _colorOfFirst?.Invoke(row[i]) : null;
            line.Append(color is null ? row[i] : $"\e[{color}m{row[i]}\e[0m").Append(' ', widths[i] - row[i].Length).Append(Gap);
            position += widths[i] + Gap.Length;
        }

        var first = true;
        foreach (var part in row[^1].Split('\n'))
        {
            foreach (var piece in Folding.Fold(OneLine.Of(part), width - position))
            {
                if (!first)
                {
                    line.Append(' ', position);
                }

                output.WriteLine(line.Append(piece).ToString().TrimEnd());
                line.Clear();
                first = false;
            }
        }
    }
}
