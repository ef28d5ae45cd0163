using System.CommandLine;
using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Commands;

internal static class SaveCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var container = Operands.Container();
        var file = new Argument<string>("FILE") { Description = "Where it is put; there must be nothing yet" };
        var leaveRunning = new Option<bool>("--leave-running") { Description = "Let the container go on running; otherwise it is removed once the file is on the disk" };
        var withImage = new Option<bool>("--with-image") { Description = "Put the image into the file, too, for hosts that do not have it" };
        var secret = new SecretOptions();
        var volumes = Operands.Volumes();
        var keepVolumes = new Option<bool>("--keep-volumes") { Description = "Leave volumes and directories that went into the file where they are" };
        var skip = Operands.Skip();
        var json = CommandContext.JsonOption("Print one JSON object a line while it goes on, and a last one with the result");
        var command = new Command("save", "Put a running container into a file: its processes, memory and files.") { container, file, leaveRunning, withImage };
        secret.AddTo(command);
        foreach (var option in (Option[])[volumes, keepVolumes, skip, json])
        {
            command.Options.Add(option);
        }

        context.SetAction(command, (arguments, daemon, cancellationToken) =>
        {
            var request = new SaveRequest
            {
                Container = arguments.GetRequiredValue(container),
                File = Path.GetFullPath(arguments.GetRequiredValue(file)),
                LeaveRunning = arguments.GetValue(leaveRunning),
                WithImage = arguments.GetValue(withImage),
                Secret = secret.Read(arguments),
                Volumes = arguments.GetRequiredValue(volumes),
                KeepVolumes = arguments.GetValue(keepVolumes),
                Skip = arguments.GetRequiredValue(skip),
            };
            return new MigrationWatch(context, daemon, arguments.GetValue(json)).StartAsync(token => daemon.SaveAsync(request, token), request.Skip, cancellationToken);
        });
        help.Add(command, """
            Examples:
              ctmigrate save web /backup/web.ctm
              ctmigrate save web /backup/web.ctm --leave-running
              ctmigrate save web /backup/web.ctm --passphrase-file /root/passphrase

            The container is frozen while its memory is written. Then it is in the file and nowhere
            else, with its volumes, as after a move to another host; or, with --leave-running, it
            goes on. `ctmigrate restore` makes it go on where it was, also after a reboot.
            TCP connections are saved as they are. Whoever restores the container soon, and only
            once, may find them working; otherwise the other ends have given up meanwhile, and the
            program sees its connections break.
            The file has everything that the container had in memory, passwords too: it is readable
            for root alone, and encrypted with --passphrase-file or --key.
            """);
        return command;
    }
}
