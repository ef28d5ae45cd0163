namespace ContainerMigrate.Volumes;

/// <summary>The file by which two hosts find out that they see the same storage.</summary>
public static class VolumeToken
{
    public const string Prefix = ".ctmigrate-probe-";

    /// <summary>Hexadecimal digits behind the prefix.</summary>
    public const int RandomLength = 32;

    /// <summary>True for a name by which nothing else can be looked for.</summary>
    public static bool IsOne(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal) && name.Length == Prefix.Length + RandomLength && name[Prefix.Length..].All(char.IsAsciiHexDigitLower);

    public static string New() => Prefix + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(RandomLength / 2));
}
