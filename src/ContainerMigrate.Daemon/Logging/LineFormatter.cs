using System.Globalization;
using System.Text;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Parsing;

namespace ContainerMigrate.Daemon.Logging;

/// <summary>
/// Writes an event as one line, <c>TIME LEVEL [migration id] Source: message</c>, and what an exception says as further,
/// indented ones. Whatever a peer may have put into a message stays within its line.
/// </summary>
/// <param name="forJournal">Each line begins with its priority, <c>&lt;N&gt;</c> (sd-daemon(3)), and has no time: the journal keeps that itself.</param>
/// <param name="withId">A line of a migration says which.</param>
internal sealed class LineFormatter(bool forJournal, bool withId = true) : ITextFormatter
{
    public void Format(LogEvent logEvent, TextWriter output)
    {
        var prefix = forJournal ? $"<{Priority(logEvent.Level)}>" : "";
        var line = new StringBuilder(prefix);
        if (!forJournal)
        {
            line.Append(logEvent.Timestamp.ToString("yyyy-MM-dd HH:mm:ss.fff zzz ", CultureInfo.InvariantCulture)).Append(Name(logEvent.Level)).Append(' ');
        }

        if (withId && Text(logEvent, MigrationLogScope.PropertyName) is { } migrationId)
        {
            line.Append('[').Append(migrationId).Append("] ");
        }

        if (Text(logEvent, "SourceContext") is { } source)
        {
            line.Append(source.AsSpan(source.LastIndexOf('.') + 1)).Append(": ");
        }

        line.Append(Printable(Message(logEvent)));
        output.WriteLine(line);

        foreach (var text in (logEvent.Exception?.ToString() ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            output.Write(prefix);
            output.Write("    ");
            output.WriteLine(Printable(text.TrimEnd('\r')));
        }
    }

    /// <summary>As the template says, with texts as they are: Serilog's own rendering puts them in quotes.</summary>
    private static string Message(LogEvent logEvent)
    {
        using var message = new StringWriter(CultureInfo.InvariantCulture);
        foreach (var token in logEvent.MessageTemplate.Tokens)
        {
            if (token is PropertyToken property && logEvent.Properties.GetValueOrDefault(property.PropertyName) is ScalarValue { Value: string text })
            {
                message.Write(text);
            }
            else
            {
                token.Render(logEvent.Properties, message, CultureInfo.InvariantCulture);
            }
        }

        return message.ToString();
    }

    private static string? Text(LogEvent logEvent, string property) =>
        logEvent.Properties.TryGetValue(property, out var value) && value is ScalarValue { Value: string text } ? Printable(text) : null;

    private static string Printable(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(c => c == '\n' ? "\\n" : char.IsControl(c) ? "?" : c.ToString())) : text;

    /// <summary>As in syslog(3).</summary>
    public static int Priority(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => 2,
        LogEventLevel.Error => 3,
        LogEventLevel.Warning => 4,
        LogEventLevel.Information => 6,
        _ => 7,
    };

    private static string Name(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => "FATAL",
        LogEventLevel.Error => "ERROR",
        LogEventLevel.Warning => "WARN ",
        LogEventLevel.Information => "INFO ",
        _ => "DEBUG",
    };
}
