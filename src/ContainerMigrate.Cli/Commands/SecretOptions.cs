using System.CommandLine;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Daemon;
using ContainerMigrate.Saving;

namespace ContainerMigrate.Cli.Commands;

/// <summary>What a saved container is encrypted with, of which only the name of a file is on the command line.</summary>
internal sealed class SecretOptions
{
    private const int MaxBytes = 4096;

    private readonly Option<string?> _passphrase = new("--passphrase-file") { Description = "Encrypt with, or decrypt by, the passphrase that is the first line of this file", HelpName = "FILE" };
    private readonly Option<string?> _key = new("--key") { Description = $"Encrypt with, or decrypt by, the key that this file holds: {SavedSecret.MinKeyBytes} random bytes or more", HelpName = "FILE" };

    public void AddTo(Command command)
    {
        command.Options.Add(_passphrase);
        command.Options.Add(_key);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_passphrase) is not null && result.GetValue(_key) is not null)
            {
                result.AddError("--passphrase-file and --key do not go together");
            }
        });
    }

    /// <summary>Null where neither was given.</summary>
    /// <exception cref="DaemonException">The file cannot be read, or holds too little.</exception>
    public SavedSecret? Read(ParseResult arguments)
    {
        var (path, protection) = arguments.GetValue(_passphrase) is { } file ? (file, SavedProtection.Passphrase) : (arguments.GetValue(_key), SavedProtection.Key);
        if (path is null)
        {
            return null;
        }

        try
        {
            using var stream = File.OpenRead(path);
            var bytes = new byte[MaxBytes];
            var value = bytes.AsSpan(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
            return SavedSecret.Check(new SavedSecret(protection, protection == SavedProtection.Key ? value.ToArray() : FirstLine(value).ToArray()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new DaemonException($"{path}: {e.Message}", ExitCodes.Usage);
        }
    }

    private static Span<byte> FirstLine(Span<byte> text) => text.IndexOfAny((byte)'\n', (byte)'\r') is >= 0 and var end ? text[..end] : text;
}
