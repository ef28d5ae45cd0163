using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class HistoryCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var container = new Argument<string?>("CONTAINER")
        {
            Description = "Only migrations of this container",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var json = CommandContext.JsonOption();
        var command = new Command("history", "Show finished migrations of this host, the latest last.") { container, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var list = await daemon.GetHistoryAsync(arguments.GetValue(container), cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(list, ApiJson.Default.MigrationList);
            }
            else
            {
                MigrationsText.WriteHistory(context.Streams, list, context.Time);
            }

            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate history
              ctmigrate history web
              ctmigrate history --json
            """);
        return command;
    }
}
