using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class HostsCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("hosts", "Show this host and those it is paired with; pair and remove them.")
        {
            json, List(context), Pair(context, help), Code(context, help), Remove(context, help),
        };
        context.SetAction(command, (arguments, daemon, cancellationToken) => ListAsync(context, daemon, arguments.GetValue(json), cancellationToken));
        help.Add(command, """
            Examples:
              ctmigrate hosts
              ctmigrate hosts pair h2
              ctmigrate hosts pair 192.0.2.7:7440 --code 7H2K-Q0TV-M4ZD-9XAE
              ctmigrate hosts remove h2

            Only paired hosts talk to each other. Pairing makes both keep the other's
            certificate fingerprint; the one-time code shows each that no third party is between.
            """);
        return command;
    }

    private static Command List(CommandContext context)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("list", "Show this host and those it is paired with.") { json };
        context.SetAction(command, (arguments, daemon, cancellationToken) => ListAsync(context, daemon, arguments.GetValue(json), cancellationToken));
        return command;
    }

    private static Command Pair(CommandContext context, ExamplesHelp help)
    {
        var host = new Argument<string>("HOST") { Description = "Name or address of the other host, with :PORT where it is not 7440" };
        var code = new Option<string?>("--code")
        {
            Description = "The code that the other host shows; without it that host is asked to show one, and it is asked for here",
            HelpName = "CODE",
        };
        var json = CommandContext.JsonOption();
        var command = new Command("pair", "Pair with another host.") { host, code, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var other = arguments.GetRequiredValue(host);
            var reply = await daemon.PairAsync(new PairRequest(other, arguments.GetValue(code)), cancellationToken);
            if (!reply.Paired && arguments.GetValue(code) is null)
            {
                if (ReadCode(context.Streams, other, reply.Message) is not { Length: > 0 } typed)
                {
                    return context.Usage("no code was given", $"ctmigrate hosts pair {other} --code CODE");
                }

                reply = await daemon.PairAsync(new PairRequest(other, typed), cancellationToken);
            }

            if (arguments.GetValue(json))
            {
                context.WriteJson(reply, ApiJson.Default.PairReply);
            }
            else if (reply.Paired)
            {
                context.Streams.Output.WriteLine(OneLine.Of($"paired with {reply.Host?.Name ?? other}"));
                if (reply.Host is { } paired)
                {
                    context.Streams.Output.WriteLine(OneLine.Of($"  address      {paired.Address}"));
                    context.Streams.Output.WriteLine(OneLine.Of($"  fingerprint  {paired.Fingerprint}"));
                }
            }

            if (reply.Paired)
            {
                return ExitCodes.Done;
            }

            ErrorText.Write(context.Streams.Error, reply.Message);
            return ExitCodes.Refused;
        });
        help.Add(command, """
            Examples:
              ctmigrate hosts pair h2                    asks for the code that h2 shows
              ctmigrate hosts pair h2 --code 7H2K-Q0TV-M4ZD-9XAE   with a code made there before

            `ctmigrate hosts` on the other host shows the code; `ctmigrate hosts code` there makes one.
            """);
        return command;
    }

    private static Command Code(CommandContext context, ExamplesHelp help)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("code", "Make a one-time code that lets one other host pair with this one.") { json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var code = await daemon.OpenPairingCodeAsync(cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(code, ApiJson.Default.PairingCode);
            }
            else
            {
                context.Streams.Output.WriteLine(code.Code);
                context.Streams.Error.WriteLine(HostsReportText.Expiry(code, context.Time));
            }

            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate hosts code                             on h2
              ctmigrate hosts pair h2 --code CODE              on h1, with what it printed
            """);
        return command;
    }

    private static Command Remove(CommandContext context, ExamplesHelp help)
    {
        var host = new Argument<string>("HOST") { Description = "Name of a paired host" };
        var command = new Command("remove", "End the pairing with a host; it can reach this one no longer.") { host };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var name = arguments.GetRequiredValue(host);
            await daemon.RemoveHostAsync(name, cancellationToken);
            context.Streams.Output.WriteLine($"{name} is no longer paired with this host");
            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate hosts remove h2

            Do the same on the other host: it keeps its half until told.
            """);
        return command;
    }

    private static async Task<int> ListAsync(CommandContext context, DaemonClient daemon, bool json, CancellationToken cancellationToken)
    {
        var report = await daemon.GetHostsAsync(cancellationToken);
        if (json)
        {
            context.WriteJson(report, ApiJson.Default.HostsReport);
        }
        else
        {
            HostsReportText.Write(context.Streams, report, context.Time);
        }

        return ExitCodes.Done;
    }

    /// <summary>Prompts on the error stream, so that the output holds the result alone; reads a line from a pipe as well.</summary>
    private static string? ReadCode(StandardStreams streams, string host, string message)
    {
        if (message.Length > 0)
        {
            streams.Error.WriteLine(OneLine.Of(message));
        }

        if (streams.InputIsTerminal)
        {
            streams.Error.Write($"Code shown on {host}: ");
        }

        return streams.Input.ReadLine()?.Trim();
    }
}
