using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Evacuation;

namespace ContainerMigrate.Cli.Commands;

internal static class EvacuateCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var to = new Option<IReadOnlyList<string>>("--to")
        {
            Description = "Paired hosts that containers may go to, separated by commas (default: all that answer)",
            HelpName = "HOST,...",
            Arity = ArgumentArity.OneOrMore,
            DefaultValueFactory = _ => [],
            CustomParser = result => [.. result.Tokens.SelectMany(t => t.Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Distinct()],
        };
        var parallel = Operands.Parallel();
        var within = Operands.DurationOption("--within", "Begin nothing more after this long, and give up what has not been handed over by then");
        var forShutdown = new Option<bool>("--for-shutdown") { Description = "Do nothing unless systemd is shutting this host down: for ctmigrate-evacuate.service" };
        var plan = new Option<bool>("--plan") { Description = "Show what would go where, and stop there" };
        var json = CommandContext.JsonOption("Print one JSON object when it is over");
        var command = new Command("evacuate", "Move every container off this host, before it is rebooted or repaired.") { to, parallel, within, forShutdown, plan, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            if (arguments.GetValue(forShutdown) && !await SystemState.IsStoppingAsync("systemctl", cancellationToken))
            {
                context.Streams.Output.WriteLine("this host is not being shut down: no container is moved");
                return ExitCodes.Done;
            }

            var run = new EvacuationRun(context, daemon, arguments.GetValue(json));
            var moves = await run.PlanAsync(arguments.GetRequiredValue(to), cancellationToken);
            if (arguments.GetValue(plan))
            {
                EvacuationText.WritePlan(context.Streams, moves, arguments.GetValue(json));
                return moves.All(m => m.Leave || m.Goes) ? ExitCodes.Done : ExitCodes.EvacuationPartial;
            }

            var outcomes = await run.MoveAsync(moves, arguments.GetRequiredValue(parallel), arguments.GetValue(within), cancellationToken);
            return EvacuationText.WriteEnd(context.Streams, outcomes, arguments.GetValue(json));
        });
        help.Add(command, """
            Examples:
              ctmigrate evacuate --plan
              ctmigrate evacuate
              ctmigrate evacuate --to h2,h3 --parallel 4

            Each container goes to the host that has most memory left of those whose checks it
            passes, and to the next one when that fails. Run again, it takes up where it stopped.
            Labels (Docker) or annotations (runc) say otherwise for a container:
              io.ctmigrate.evacuate=offline          it is stopped, moved, and started there
              io.ctmigrate.evacuate=save             it goes into a file of this host (save_dir in
                                                     ctmigrated.json), of which `return` restores it
              io.ctmigrate.evacuate=leave            it stays, and that is no failure
              io.ctmigrate.evacuate.priority=NUMBER  higher goes first (default 0)
              io.ctmigrate.evacuate.target=HOST      it goes to no other host
            Ctrl-C lets what is under way end, and begins nothing more.
            Exit code 0 when all have moved; 50 when some stay here, where they run as before.
            """);
        return command;
    }
}
