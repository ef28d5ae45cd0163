using System.CommandLine;
using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Commands;

internal static class CancelCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var id = new Argument<string>("ID") { Description = "Id of a migration that this host is the source of" };
        var command = new Command("cancel", "Give a migration up; the container goes on running on the source.") { id };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var wanted = arguments.GetRequiredValue(id);
            await daemon.CancelMigrationAsync(wanted, cancellationToken);
            context.Streams.Output.WriteLine($"cancelling {wanted}; how it ends: ctmigrate watch {wanted}");
            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate cancel ID

            Once the destination has been told to take over, a migration cannot be cancelled.
            """);
        return command;
    }
}
