using System.CommandLine;
using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Commands;

internal static class RestoreCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var file = new Argument<string>("FILE") { Description = "A file that `ctmigrate save` has written" };
        var name = new Option<string?>("--as") { Description = "What the container is to be called (default: as it was)", HelpName = "NAME" };
        var secret = new SecretOptions();
        var skip = Operands.Skip();
        var json = CommandContext.JsonOption("Print one JSON object a line while it goes on, and a last one with the result");
        var command = new Command("restore", "Let a saved container go on where it was.") { file, name };
        secret.AddTo(command);
        command.Options.Add(skip);
        command.Options.Add(json);
        context.SetAction(command, (arguments, daemon, cancellationToken) =>
        {
            var request = new RestoreRequest
            {
                File = Path.GetFullPath(arguments.GetRequiredValue(file)), Name = arguments.GetValue(name), Secret = secret.Read(arguments), Skip = arguments.GetRequiredValue(skip),
            };
            return new MigrationWatch(context, daemon, arguments.GetValue(json)).StartAsync(token => daemon.RestoreAsync(request, token), request.Skip, cancellationToken);
        });
        help.Add(command, """
            Examples:
              ctmigrate restore /backup/web.ctm
              ctmigrate restore /backup/web.ctm --as web2 --passphrase-file /root/passphrase

            All of the file is read and compared with its digests before anything is made of it.
            The host has to be one that the container could have moved to: same processor features,
            CRIU no older, the image (or --with-image when it was saved), its name, addresses and
            the places of its volumes free. The file stays; restored twice the program runs twice.
            Exit code 0 when it runs; 10 when the file or a check refused it; 20 when it failed and
            nothing of it is left.
            """);
        return command;
    }
}
