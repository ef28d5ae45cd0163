using System.Text;

namespace ContainerMigrate.Cli;

/// <summary>The three streams of the process and what is known about them.</summary>
internal sealed record StandardStreams
{
    private const int DefaultWidth = 80;

    public required TextReader Input { get; init; }

    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    public bool InputIsTerminal { get; init; }

    public bool OutputIsTerminal { get; init; }

    /// <summary>Columns of the terminal; meaningless where the output is none.</summary>
    public Func<int> Width { get; init; } = () => DefaultWidth;

    /// <summary>True when the output may carry colours (a terminal, not <c>TERM=dumb</c>, no <c>NO_COLOR</c>).</summary>
    public bool Colors { get; init; }

    /// <summary>True when the terminal shows more than ASCII.</summary>
    public bool Unicode { get; init; }

    /// <summary>Columns that lines are folded at: no limit where the output is piped.</summary>
    public int FoldWidth => OutputIsTerminal ? Width() : int.MaxValue;

    public static StandardStreams OfProcess()
    {
        var terminal = !Console.IsOutputRedirected;
        var dumb = Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb";
        return new StandardStreams
        {
            Input = Console.In,
            Output = Console.Out,
            Error = Console.Error,
            InputIsTerminal = !Console.IsInputRedirected,
            // A dumb terminal cannot redraw a line: it gets what a pipe gets.
            OutputIsTerminal = terminal && !dumb,
            Width = static () => Console.WindowWidth is > 0 and var columns ? columns : DefaultWidth,
            Colors = terminal && !dumb && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
            Unicode = Console.OutputEncoding.CodePage == Encoding.UTF8.CodePage && !IsPlainLocale(),
        };
    }

    // Without a locale .NET assumes UTF-8; a terminal that was told nothing may not.
    private static bool IsPlainLocale() =>
        (FirstSet("LC_ALL", "LC_CTYPE", "LANG") ?? "C") is "C" or "POSIX";

    private static string? FirstSet(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                return value;
            }
        }

        return null;
    }
}
