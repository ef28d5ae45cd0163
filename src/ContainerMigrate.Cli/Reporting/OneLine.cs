namespace ContainerMigrate.Cli.Reporting;

/// <summary>Makes text that came from elsewhere (a peer, CRIU's log, an image) fit to be printed on one line of a terminal.</summary>
internal static class OneLine
{
    /// <summary>Line breaks and tabs become blanks; other control characters, which a terminal would obey, become <c>?</c>.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f'))
        {
            return text;
        }

        return string.Create(text.Length, text, static (line, source) =>
        {
            for (var i = 0; i < source.Length; i++)
            {
                line[i] = source[i] switch
                {
                    '\n' or '\r' or '\t' => ' ',
                    var c when char.IsControl(c) => '?',
                    var c => c,
                };
            }
        }).TrimEnd();
    }

    /// <summary>At most <paramref name="width"/> characters, the last one an ellipsis where something was cut.</summary>
    public static string Fit(string text, int width, bool unicode = true)
    {
        if (text.Length <= width)
        {
            return text;
        }

        var ellipsis = unicode ? "…" : "...";
        return width <= ellipsis.Length ? text[..Math.Max(width, 0)] : string.Concat(text.AsSpan(0, width - ellipsis.Length).TrimEnd(), ellipsis);
    }
}
