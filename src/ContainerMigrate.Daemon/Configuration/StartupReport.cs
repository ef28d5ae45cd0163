using System.Runtime.InteropServices;
using ContainerMigrate.Daemon.Identity;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace ContainerMigrate.Daemon.Configuration;

/// <summary>Says in the log what has started, and that it stops.</summary>
internal sealed partial class StartupReport(
    DaemonOptions options, DaemonIdentity identity, IServer server, ILogger<StartupReport> logger) : IHostedLifecycleService
{
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        LogStarted(
            DaemonVersion.Current,
            options.HostName,
            string.Join(", ", (server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []).Where(a => a.StartsWith("https:", StringComparison.Ordinal)).Prepend(options.Socket)),
            identity.Fingerprint,
            RuntimeInformation.FrameworkDescription);
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        LogStopping();
        return Task.CompletedTask;
    }

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        LogStopped();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "ctmigrated {Version} is host {HostName}, listens on {Addresses}, certificate {Fingerprint} ({Framework})")]
    private partial void LogStarted(string version, string hostName, string addresses, string fingerprint, string framework);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping")]
    private partial void LogStopping();

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopped")]
    private partial void LogStopped();
}
