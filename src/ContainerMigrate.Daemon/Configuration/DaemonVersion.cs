using System.Reflection;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Version of this build, without what the build appends to it about the source.</summary>
internal static class DaemonVersion
{
    public static string Current { get; } = Read();

    private static string Read()
    {
        var version = typeof(DaemonVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
        var plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? version : version[..plus];
    }
}
