using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Cli.Reporting;
using ContainerMigrate.Saving;

namespace ContainerMigrate.Cli.Commands;

/// <summary>Needs no daemon: whoever may read a file may verify it.</summary>
internal static class VerifyCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var file = new Argument<string>("FILE") { Description = "A file that `ctmigrate save` has written" };
        var secret = new SecretOptions();
        var json = CommandContext.JsonOption();
        var command = new Command("verify", "Read a saved container and compare all of it with its digests.") { file };
        secret.AddTo(command);
        command.Options.Add(json);
        context.SetAction(command, async (arguments, _, cancellationToken) =>
        {
            var path = arguments.GetRequiredValue(file);
            var saved = await VerifyAsync(path, secret.Read(arguments), cancellationToken);
            Write(context.Streams, path, saved, arguments.GetValue(json));
            return ExitCodes.Done;
        });
        help.Add(command, """
            Examples:
              ctmigrate verify /backup/web.ctm
              ctmigrate verify /backup/web.ctm --passphrase-file /root/passphrase

            Exit code 0 when the file is whole; 10 when it is damaged, or cannot be read.
            """);
        return command;
    }

    private static async Task<SavedFile> VerifyAsync(string path, SavedSecret? secret, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, BufferSize = 1 << 20, Options = FileOptions.SequentialScan });
            return await SavedFile.VerifyAsync(stream, secret, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new DaemonException(e is InvalidDataException ? $"{path} cannot be used: {e.Message}" : e.Message, ExitCodes.Refused);
        }
    }

    private static void Write(StandardStreams streams, string path, SavedFile saved, bool json)
    {
        var (container, host) = (saved.Manifest.Container, saved.Manifest.Host);
        if (json)
        {
            streams.Output.WriteLine(new JsonObject
            {
                ["ok"] = true, ["container"] = container.Name, ["runtime"] = container.Runtime, ["host"] = host.HostName, ["saved_at"] = saved.Manifest.SavedAt.ToString("O", CultureInfo.InvariantCulture),
                ["parts"] = new JsonArray([.. saved.Parts.Select(p => (JsonNode)new JsonObject { ["part"] = p.Part.ToString().ToLowerInvariant(), ["bytes"] = p.Bytes, ["stored_bytes"] = p.StoredBytes, ["sha256"] = p.Sha256 })]),
            }.ToJsonString());
            return;
        }

        streams.Output.WriteLine(OneLine.Of($"{path} is whole: {container.Runtime} container {container.Name}, saved on {host.HostName} at {saved.Manifest.SavedAt:yyyy-MM-dd HH:mm} UTC"));
        var table = new TextTable();
        table.Add("PART", "SIZE", "IN THE FILE", "SHA-256");
        foreach (var part in saved.Parts)
        {
            table.Add(part.Part.ToString().ToLowerInvariant(), ByteSize.Format(part.Bytes), ByteSize.Format(part.StoredBytes), part.Sha256);
        }

        table.Write(streams.Output, streams.FoldWidth, colors: false);
    }
}
