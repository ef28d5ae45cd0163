using System.Net.Sockets;
using ContainerMigrate.Api;
using ContainerMigrate.Daemon;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Faults;
using ContainerMigrate.Daemon.Logging;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Daemon.TtyRelay;
using ContainerMigrate.Linux.Memory.LazyPages;
using Microsoft.AspNetCore.Connections;
using Serilog.Extensions.Logging;

// A process of its own, started by the runtime wrapper for a container with a terminal; it shares nothing with the daemon.
if (args is [TtyRelayCommand.Name, var shimSocket, var ownSocket])
{
    return TtyRelayCommand.Run(shimSocket, ownSocket);
}

// Another one, started by the daemon for a container whose memory is loaded while it runs; it outlives the daemon.
if (args is [var command, var store, var work] && command == LazyRestore.ServerCommand)
{
    return LazyPagesProcess.Run(store, work);
}

try
{
    var arguments = CommandLine.Parse(args);
    if (arguments.ShowHelp)
    {
        Console.WriteLine(CommandLine.Help);
        return ExitCodes.Done;
    }

    if (arguments.ShowVersion)
    {
        Console.WriteLine($"ctmigrated {DaemonVersion.Current}");
        return ExitCodes.Done;
    }

    var options = ConfigurationFile.Read(arguments.ConfigurationFile ?? DaemonOptions.DefaultConfigurationFile, required: arguments.ConfigurationFile is not null);
    if (arguments.StateDirectory is { } stateDirectory)
    {
        options = options with { StateDirectory = stateDirectory };
    }

    var faults = FaultPoints.ReadRules(Environment.GetEnvironmentVariable(FaultPoints.Variable), arguments.AllowFaults);

    using var state = StateDirectory.Open(options);
    await using var logger = DaemonLogging.Create(options);
    using var host = DaemonHost.Build(
        options,
        logging => logging.AddProvider(new SerilogLoggerProvider(logger)),
        new MigrationsModule(faults));
    await host.RunAsync();
    return ExitCodes.Done;
}
catch (ConfigurationException e)
{
    return Refuse(e.Message);
}
catch (IOException e) when (e.InnerException is AddressInUseException or SocketException)
{
    return Refuse($"cannot listen for peers: {e.Message} (peer_listen and peer_port in the configuration)");
}

static int Refuse(string message)
{
    Console.Error.WriteLine($"{(DaemonLogging.UnderJournal ? "<3>" : "")}ctmigrated: {message}");
    return ExitCodes.Usage;
}
