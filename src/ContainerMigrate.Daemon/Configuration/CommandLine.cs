using ContainerMigrate.Daemon.Faults;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Arguments of <c>ctmigrated</c>.</summary>
/// <param name="ConfigurationFile">Null: the default file, which may be missing.</param>
/// <param name="StateDirectory">Null: the one of the configuration.</param>
/// <param name="AllowFaults">The environment may arm fault points.</param>
internal sealed record CommandLine(string? ConfigurationFile, string? StateDirectory, bool AllowFaults, bool ShowVersion, bool ShowHelp)
{
    public const string Help = """
        Usage: ctmigrated [--config FILE] [--state-dir DIRECTORY]

        The ContainerMigrate daemon of this host. It serves `ctmigrate` on a local socket and
        the daemons of paired hosts on TCP port 7440, and runs until it is told to stop.

          --config FILE          configuration (default /etc/ctmigrate/ctmigrated.json, may be missing)
          --state-dir DIRECTORY  keeps identity, pairings and journals (default /var/lib/ctmigrate)
          --allow-faults         let CTMIGRATED_FAULTS make it die and fail; for tests alone
          --version              print the version and exit
          --help                 print this and exit
        """;

    /// <exception cref="ConfigurationException">An argument is unknown or lacks its value.</exception>
    public static CommandLine Parse(IReadOnlyList<string> args)
    {
        var result = new CommandLine(null, null, false, false, false);
        for (var i = 0; i < args.Count; i++)
        {
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var (name, inline) = equals < 0 ? (args[i], null) : (args[i][..equals], args[i][(equals + 1)..]);
            result = name switch
            {
                "--config" => result with { ConfigurationFile = Value() },
                "--state-dir" => result with { StateDirectory = Path.GetFullPath(Value()) },
                FaultPoints.Flag when inline is null => result with { AllowFaults = true },
                "--version" when inline is null => result with { ShowVersion = true },
                "--help" or "-h" when inline is null => result with { ShowHelp = true },
                _ => throw new ConfigurationException($"unknown argument \"{args[i]}\"; see ctmigrated --help"),
            };

            string Value()
            {
                var value = inline ?? (i + 1 < args.Count ? args[++i] : "");
                return value.Length > 0 ? value : throw new ConfigurationException($"{name} needs a value; see ctmigrated --help");
            }
        }

        return result;
    }
}
