using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Commands;

internal static class MigrateCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var container = Operands.Container();
        var host = Operands.Host();
        var dryRun = new Option<bool>("--dry-run") { Description = "Check both hosts and stop there; exit code 11 when a check refuses it" };
        var mode = Operands.Mode();
        var offline = new Option<bool>("--offline") { Description = "Stop the container, move what it is made of, and start it on HOST (--mode offline); its processes do not move" };
        var maxDowntime = Operands.DurationOption("--max-downtime", "The pause that more rounds of pre-copy are worth (default 300ms)");
        var volumes = Operands.Volumes();
        var keepVolumes = new Option<bool>("--keep-volumes") { Description = "Leave the source's copy of volumes and directories that go along where it is" };
        var keepDest = new Option<bool>("--keep-dest") { Description = "If it fails, let HOST keep what has arrived of the files for a day: the next attempt sends only the rest" };
        var onStall = Operands.OnStall();
        var skip = Operands.Skip();
        var deadline = Operands.DurationOption("--deadline", "Give up when it has not been handed over after this long (default: the daemon's setting)");
        var freezeTimeout = Operands.DurationOption(
            "--freeze-timeout", "Give up when the container has been frozen for this long before the handover (default: the daemon's setting)");
        var detach = new Option<bool>("--detach") { Description = "Print the migration's id and return at once; see `ctmigrate watch`" };
        var json = CommandContext.JsonOption("Print one JSON object a line while it goes on, and a last one with the result");
        var command = new Command("migrate", "Move a running container to a paired host.")
        {
            container, host, dryRun, offline, mode, maxDowntime, onStall, volumes, keepVolumes, keepDest, skip, deadline, freezeTimeout, detach, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(offline) && result.GetResult(mode) is { Implicit: false } && result.GetValue(mode) != MigrationModes.Offline)
            {
                result.AddError("--offline moves no memory: it does not go with --mode");
            }
        });
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var request = new MigrateRequest
            {
                Container = arguments.GetRequiredValue(container),
                Host = arguments.GetRequiredValue(host),
                Mode = arguments.GetValue(offline) ? MigrationModes.Offline : arguments.GetRequiredValue(mode),
                MaxDowntimeSeconds = arguments.GetValue(maxDowntime)?.TotalSeconds,
                OnStall = arguments.GetRequiredValue(onStall),
                DryRun = arguments.GetValue(dryRun),
                Volumes = arguments.GetRequiredValue(volumes),
                KeepVolumes = arguments.GetValue(keepVolumes),
                KeepDestination = arguments.GetValue(keepDest),
                Skip = arguments.GetRequiredValue(skip),
                DeadlineSeconds = arguments.GetValue(deadline)?.TotalSeconds,
                FreezeTimeoutSeconds = arguments.GetValue(freezeTimeout)?.TotalSeconds,
            };
            return await RunAsync(context, daemon, request, arguments.GetValue(detach), arguments.GetValue(json), cancellationToken);
        });
        help.Add(command, """
            Examples:
              ctmigrate migrate web h2
              ctmigrate migrate web h2 --dry-run
              ctmigrate migrate web h2 --max-downtime 500ms --on-stall throttle
              ctmigrate migrate web h2 --mode postcopy
              ctmigrate migrate web h2 --offline
              ctmigrate migrate web h2 --freeze-timeout 10s --deadline 10m
              ctmigrate migrate web h2 --volume uploads=shared --volume /cache=empty
              ctmigrate migrate web h2 --detach

            DURATION is a number with a unit: ms, s, m or h (500ms, 10s, 1m30s).
            Ctrl-C cancels: the container goes on running here. A second Ctrl-C leaves the
            migration to the daemon.
            With post-copy the container runs on HOST before all of its memory is there. Until it
            is, it needs both hosts and the link: it stands still while they do not reach each
            other (exit code 31; it goes on by itself), and is lost if this host fails.
            With --offline the container is stopped as `docker stop` does it, once most of its
            files are on HOST, and started there when the rest has followed: connections end, and
            memory is gone. Whatever CRIU cannot move can move so (Docker alone, not --rm). A
            failure before it runs on HOST starts it here again.
            Exit code 0 when it is done; 10 when a check refused it; 20 when it failed and the
            container runs here; see `ctmigrate --help` for the others.
            """);
        return command;
    }

    private static async Task<int> RunAsync(
        CommandContext context, DaemonClient daemon, MigrateRequest request, bool detach, bool json, CancellationToken cancellationToken)
    {
        try
        {
            if (detach)
            {
                var detached = await daemon.MigrateAsync(request, cancellationToken);
                if (json)
                {
                    context.WriteJson(detached, ApiJson.Default.MigrationAccepted);
                }
                else
                {
                    context.Streams.Output.WriteLine(detached.Id);
                }

                return ExitCodes.Done;
            }

            var watch = new MigrationWatch(context, daemon, json);
            return await watch.StartAsync(request, cancellationToken);
        }
        catch (DaemonException error) when (json)
        {
            context.Streams.Output.WriteLine(OutcomeJson.Of(request, error));
            throw;
        }
    }
}
