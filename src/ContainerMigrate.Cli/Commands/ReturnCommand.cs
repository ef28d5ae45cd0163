using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Evacuation;

namespace ContainerMigrate.Cli.Commands;

internal static class ReturnCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var parallel = Operands.Parallel();
        var plan = new Option<bool>("--plan") { Description = "Show what would come back, and stop there" };
        var json = CommandContext.JsonOption("Print one JSON object when it is over");
        var command = new Command("return", "Bring back what `ctmigrate evacuate` has moved off this host.") { parallel, plan, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var away = (await daemon.ListEvacuatedAsync(cancellationToken)).Containers;
            if (arguments.GetValue(plan))
            {
                EvacuationText.WriteOutcomes(context.Streams, [.. away.Select(c => new MoveOutcome(c.Name, c.Runtime, c.Host, "away", "", c.MigrationId))], ExitCodes.Done, arguments.GetValue(json));
                return ExitCodes.Done;
            }

            var outcomes = await new EvacuationRun(context, daemon, arguments.GetValue(json)).ReturnAsync(away, arguments.GetRequiredValue(parallel), cancellationToken);
            return EvacuationText.WriteEnd(context.Streams, outcomes, arguments.GetValue(json));
        });
        help.Add(command, """
            Examples:
              ctmigrate return --plan
              ctmigrate return

            The host that has a container moves it back, as `ctmigrate migrate` there would.
            One that was removed there, or moved on, is gone, and not asked for again.
            Exit code 0 when all are back; 50 when some stay where they are.
            """);
        return command;
    }
}
