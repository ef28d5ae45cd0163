using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class DoctorCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var json = CommandContext.JsonOption();
        var command = new Command("doctor", "Say what this host lacks for migrations, and how to get it.") { json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var report = await daemon.GetDoctorReportAsync(cancellationToken);
            if (arguments.GetValue(json))
            {
                context.WriteJson(report, ApiJson.Default.DoctorReport);
            }
            else
            {
                DoctorReportText.Write(context.Streams, report);
            }

            return DoctorReportText.HasErrors(report) ? ExitCodes.Refused : ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate doctor
              ctmigrate doctor --json

            Exit code 0 when nothing that is needed is missing, 10 otherwise.
            """);
        return command;
    }
}
