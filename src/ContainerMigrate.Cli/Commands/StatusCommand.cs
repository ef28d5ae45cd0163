using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class StatusCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var id = Operands.OptionalMigration("Id of a migration; without it, all that are not finished");
        var json = CommandContext.JsonOption();
        var command = new Command("status", "Show migrations under way, or one migration in full.") { id, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            if (arguments.GetValue(id) is { } wanted)
            {
                var status = await daemon.GetMigrationAsync(wanted, cancellationToken);
                if (arguments.GetValue(json))
                {
                    context.WriteJson(status, ApiJson.Default.MigrationStatus);
                }
                else
                {
                    MigrationsText.WriteOne(context.Streams, status, context.Time);
                }

                return ExitCodes.Done;
            }

            var list = await daemon.ListMigrationsAsync(cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(list, ApiJson.Default.MigrationList);
            }
            else
            {
                MigrationsText.WriteUnderWay(context.Streams, list, context.Time);
            }

            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate status
              ctmigrate status ID
              ctmigrate status ID --json
            """);
        return command;
    }
}
