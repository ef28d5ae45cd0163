using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class ResolveCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var id = new Argument<string>("ID") { Description = "Id of a migration that is in doubt" };
        var winner = new Option<string?>("--winner")
        {
            Description = "The host that is to have the container; without it both hosts' journals are shown, and what decides",
            HelpName = string.Join('|', Winners.All),
        };
        winner.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } value && !Winners.All.Contains(value))
            {
                result.AddError($"the winner is {string.Join(" or ", Winners.All)}, not '{value}'");
            }
        });
        var yes = new Option<bool>("--yes") { Description = "Do not ask whether the risk is taken" };
        var json = CommandContext.JsonOption();
        var command = new Command("resolve", "Show what both hosts know of a migration, and decide one that is in doubt.") { id, winner, yes, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var report = await daemon.GetJournalsAsync(arguments.GetRequiredValue(id), cancellationToken);
            var wanted = arguments.GetValue(winner);
            var asJson = arguments.GetValue(json);
            if (wanted is null)
            {
                if (asJson)
                {
                    context.WriteJson(report, ApiJson.Default.JournalsReport);
                }
                else
                {
                    JournalsText.Write(context.Streams, report, context.Time);
                }

                return report.Choices.Count > 0 && !MigrationVerdict.HasEnded(report.Status) && report.Status.Role == "source" ? ExitCodes.InDoubt : ExitCodes.Done;
            }

            // What cannot be decided, the daemon refuses with the reason.
            if (report.Choices.FirstOrDefault(c => c.Winner == wanted) is { } choice && !arguments.GetValue(yes))
            {
                if (!context.Streams.InputIsTerminal)
                {
                    return context.Usage($"this needs a confirmation, and there is no terminal to ask on: {choice.Risk}", $"ctmigrate resolve {report.Status.Id} --winner {wanted} --yes");
                }

                JournalsText.Write(context.Streams, report, context.Time);
                context.Streams.Error.WriteLine();
                context.Streams.Error.WriteLine(OneLine.Of(choice.Risk));
                context.Streams.Error.Write($"Type {wanted} to decide for the {wanted}: ");
                if (context.Streams.Input.ReadLine()?.Trim() != wanted)
                {
                    ErrorText.Write(context.Streams.Error, "nothing was decided");
                    return ExitCodes.InDoubt;
                }
            }

            var status = await daemon.ResolveAsync(report.Status.Id, wanted, cancellationToken);
            if (asJson)
            {
                context.WriteJson(status, ApiJson.Default.MigrationStatus);
            }
            else
            {
                var host = wanted == Winners.Source ? status.Source : status.Destination;
                context.Streams.Output.WriteLine(OneLine.Of($"decided: {status.Container} belongs to {host}; how it goes on: ctmigrate status {status.Id}"));
            }

            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate resolve ID                      both journals, who decides, and what you may decide
              ctmigrate resolve ID --winner source      the destination is gone for good: take the container back
              ctmigrate resolve ID --winner source --yes

            A migration that is in doubt resolves by itself as soon as the destination answers. To decide without
            it is a risk, which is named before you are asked. It ends with 30 while something is to be decided,
            with 10 where nothing is.
            """);
        return command;
    }
}
