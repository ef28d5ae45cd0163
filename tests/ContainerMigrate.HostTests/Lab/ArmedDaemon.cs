namespace ContainerMigrate.HostTests.Lab;

/// <summary>A host whose daemon has its fault points armed, as long as this is not disposed; across restarts and reboots.</summary>
public sealed class ArmedDaemon : IAsyncDisposable
{
    private const string Settings = "/etc/default/ctmigrated";
    private const string Configuration = "/etc/ctmigrate/ctmigrated.json";
    private const string Rules = "/var/tmp/faults";
    private const string Held = "/var/tmp/held";

    private readonly LabHost _host;

    private ArmedDaemon(LabHost host) => _host = host;

    /// <summary>Restarts the daemon of <paramref name="host"/>, with no rule in force.</summary>
    /// <param name="configuration">JSON, in place of the host's.</param>
    public static async Task<ArmedDaemon> StartAsync(LabHost host, string configuration)
    {
        ArgumentNullException.ThrowIfNull(host);
        await host.ShellAsync($"""
            mkdir -p /etc/default
            printf 'CTMIGRATED_FAULTS=@%s\nCTMIGRATED_OPTIONS=--allow-faults\n' {Rules} >{Settings}
            rm -f {Rules} {Held}
            [ -e {Configuration}.before ] || cp {Configuration} {Configuration}.before
            echo '{configuration}' >{Configuration}
            """);
        await host.DaemonAsync("restart");
        return new ArmedDaemon(host);
    }

    /// <summary>Makes the daemon wait at a point, the next time that it gets there.</summary>
    /// <param name="point">As `target.Restore:before`.</param>
    public Task HoldAtAsync(string point) => _host.ShellAsync($"rm -f {Held}; echo '{point}=hold({Held})' >{Rules}.new; mv {Rules}.new {Rules}");

    /// <summary>Returns when it waits there.</summary>
    /// <exception cref="TimeoutException">It did not get there.</exception>
    /// <param name="within">Twenty seconds unless it is given.</param>
    public Task HeldAsync(TimeSpan? within = null) =>
        Eventually.BecomesTrueAsync($"ctmigrated of {_host.Name} is held", async () => (await _host.TryAsync("test", "-e", Held)).ExitCode == 0, within);

    /// <summary>Lets it go on; rules that were not used up are forgotten.</summary>
    public Task ReleaseAsync() => _host.ShellAsync($"rm -f {Held} {Rules}");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.ShellAsync($"rm -f {Settings} {Rules} {Held}; mv {Configuration}.before {Configuration}");
        await _host.DaemonAsync("restart");
    }
}
