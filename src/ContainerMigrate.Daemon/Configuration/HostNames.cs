namespace ContainerMigrate.Daemon.Configuration;

/// <summary>What may be the name of a host: it appears in commands, files and logs of every peer.</summary>
internal static class HostNames
{
    public const int MaxLength = 64;

    public const string Allowed = "1 to 64 of the characters a-z A-Z 0-9 . _ -, the first a letter or digit";

    public static bool IsValid(string? name) =>
        name is { Length: > 0 and <= MaxLength }
        && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
