using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

/// <summary>What every verb works with.</summary>
internal sealed class CommandContext(StandardStreams streams, TimeProvider time, Func<Interrupts> listenForInterrupts)
{
    public StandardStreams Streams => streams;

    public TimeProvider Time => time;

    public Option<string> Socket { get; } = new("--socket")
    {
        Description = "Unix socket of the daemon; also set by CTMIGRATE_SOCKET",
        HelpName = "PATH",
        Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("CTMIGRATE_SOCKET") is { Length: > 0 } path ? path : DaemonClient.DefaultSocket,
    };

    public static Option<bool> JsonOption(string description = "Print one JSON object on one line instead of text") => new("--json") { Description = description };

    public Interrupts ListenForInterrupts() => listenForInterrupts();

    /// <summary>Gives the verb a connection; a refusal, or a daemon that cannot be reached, becomes one line and an exit code.</summary>
    public void SetAction(Command command, Func<ParseResult, DaemonClient, CancellationToken, Task<int>> run) =>
        command.SetAction(async (ParseResult arguments, CancellationToken cancellationToken) =>
        {
            using var daemon = new DaemonClient(arguments.GetRequiredValue(Socket));
            try
            {
                return await run(arguments, daemon, cancellationToken);
            }
            catch (DaemonException error)
            {
                ErrorText.Write(streams.Error, error);
                return error.ExitCode;
            }
        });

    public void WriteJson<T>(T value, JsonTypeInfo<T> type) => streams.Output.WriteLine(JsonSerializer.Serialize(value, type));

    /// <summary>A mistake in how the command was called that only shows while it runs.</summary>
    public int Usage(string message, string? nextStep = null)
    {
        ErrorText.Write(streams.Error, message, nextStep);
        return ExitCodes.Usage;
    }
}
