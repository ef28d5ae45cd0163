using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class CheckCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var container = Operands.Container();
        var host = Operands.Host();
        var volumes = Operands.Volumes();
        var mode = Operands.Mode();
        var onStall = Operands.OnStall();
        var skip = Operands.Skip();
        var json = CommandContext.JsonOption();
        var command = new Command("check", "Say whether a container can move to a host, and how long it would pause; nothing is touched.")
        {
            container, host, mode, onStall, volumes, skip, json,
        };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var request = new CheckRequest
            {
                Container = arguments.GetRequiredValue(container),
                Host = arguments.GetRequiredValue(host),
                Volumes = arguments.GetRequiredValue(volumes),
                Mode = arguments.GetRequiredValue(mode),
                OnStall = arguments.GetRequiredValue(onStall),
                Skip = arguments.GetRequiredValue(skip),
            };
            var report = await daemon.CheckAsync(request, cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(report, ApiJson.Default.CheckReport);
            }
            else
            {
                CheckReportText.Write(context.Streams, report, request.Skip);
            }

            return report.Ok ? ExitCodes.Done : ExitCodes.Refused;
        });
        help.Add(command, """
            Examples:
              ctmigrate check web h2
              ctmigrate check web h2 --skip clock,cpu
              ctmigrate check web h2 --mode postcopy
              ctmigrate check runc:web h2 --json
              ctmigrate check web h2 --volume uploads=shared --volume /cache=empty

            Exit code 0 when it can move, 10 when a check refuses it.
            """);
        return command;
    }
}
