namespace ContainerMigrate.Cli.Reporting;

/// <summary>Breaks lines between words, so that the terminal need not break them within.</summary>
internal static class Folding
{
    // Below this a line is left to the terminal: one word a line helps nobody.
    private const int Narrowest = 20;

    /// <summary>Breaks at blanks; a word longer than the width stays whole, so that it can be copied.</summary>
    public static IEnumerable<string> Fold(string text, int width)
    {
        if (width < Narrowest)
        {
            yield return text;
            yield break;
        }

        while (text.Length > width)
        {
            var blank = text.LastIndexOf(' ', width);
            if (blank <= 0)
            {
                blank = text.IndexOf(' ', width);
            }

            if (blank < 0)
            {
                break;
            }

            yield return text[..blank].TrimEnd();
            text = text[(blank + 1)..];
        }

        yield return text;
    }

    /// <summary>Folds one line of text; what follows the first line is indented.</summary>
    public static IEnumerable<string> Fold(string text, int width, string indent)
    {
        var first = true;
        foreach (var line in Fold(text, width == int.MaxValue ? width : width - indent.Length))
        {
            yield return first ? line : indent + line;
            first = false;
        }
    }
}
