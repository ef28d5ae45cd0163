namespace ContainerMigrate.Volumes;

/// <summary>The file by which two hosts find out that they see the same storage.</summary>
public static class VolumeToken
{
    public const string Prefix = ".ctmigrate-probe-";

    /// <summary>Hexadecimal digits behind the prefix.</summary>
    public const int RandomLength = 32;

    public static string New() => Prefix + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(RandomLength / 2));
}
