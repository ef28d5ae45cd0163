using ContainerMigrate.Cli;
using ContainerMigrate.Cli.Following;

namespace ContainerMigrate.Tests.Cli;

/// <summary>One run of the command line inside the test, with its streams caught.</summary>
internal sealed record CommandRun(int ExitCode, string Output, string Error)
{
    public string[] OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public static Task<CommandRun> OfAsync(FakeDaemon daemon, params string[] arguments) => OfAsync(daemon, "", new Interrupts(), arguments);

    public static async Task<CommandRun> OfAsync(FakeDaemon daemon, string input, Interrupts interrupts, params string[] arguments) =>
        await OfAsync(input, interrupts, [.. arguments, "--socket", daemon.SocketPath]);

    public static async Task<CommandRun> OfAsync(string input, Interrupts interrupts, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var typed = new StringReader(input);
        var streams = new StandardStreams { Input = typed, Output = TextWriter.Synchronized(output), Error = TextWriter.Synchronized(error) };
        var exitCode = await CommandLine.RunAsync(arguments, streams, TimeProvider.System, () => interrupts);
        return new CommandRun(exitCode, output.ToString(), error.ToString());
    }
}
