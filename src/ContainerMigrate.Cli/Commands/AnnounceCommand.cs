using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class AnnounceCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var container = Operands.Container();
        var json = CommandContext.JsonOption();
        var command = new Command("announce", "Tell the network again where a container's addresses are (ARP, RARP, neighbour advertisements).") { container, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var reply = await daemon.AnnounceAsync(new AnnounceRequest(arguments.GetRequiredValue(container)), cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(reply, ApiJson.Default.AnnounceReply);
                return ExitCodes.Done;
            }

            foreach (var line in reply.Announced)
            {
                context.Streams.Output.WriteLine(OneLine.Of(line));
            }

            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate announce web

            A migration does this by itself. It helps when a switch or a neighbour missed it.
            """);
        return command;
    }
}
