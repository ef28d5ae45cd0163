namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// A test on the lab's hosts. Whatever it does, its containers are removed at its end, and then both hosts must look as before it:
/// what is left is a failure.
/// </summary>
public abstract class HostTest(LabFixture lab) : IAsyncLifetime
{
    private static readonly TimeSpan SettlesWithin = TimeSpan.FromSeconds(30);

    private readonly Dictionary<LabHost, Leftovers> _before = [];
    private readonly Stack<Func<Task>> _undo = [];

    protected LabHost H1 => lab.H1;

    protected LabHost H2 => lab.H2;

    protected LabMember Client => lab.Client;

    /// <inheritdoc/>
    public virtual async ValueTask InitializeAsync()
    {
        foreach (var host in lab.Hosts)
        {
            _before[host] = await host.LeftoversAsync();
        }
    }

    /// <inheritdoc/>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        while (_undo.TryPop(out var undo))
        {
            await undo();
        }

        foreach (var host in lab.Hosts)
        {
            await host.RemoveContainersAsync();
        }

        foreach (var host in lab.Hosts)
        {
            await ShouldBeAsBeforeAsync(host);
        }
    }

    /// <summary>Runs at the test's end, last one first, however it ends.</summary>
    protected void AtTheEnd(Func<Task> undo) => _undo.Push(undo);

    /// <summary>Mounts something over a path of a host, until the test's end.</summary>
    protected async Task MountAsync(LabHost host, string what, string target)
    {
        ArgumentNullException.ThrowIfNull(host);
        await host.ShellAsync($"mount {what} {target}");
        AtTheEnd(() => host.ShellAsync($"if mountpoint -q {target}; then umount {target}; fi"));
    }

    /// <summary>Restarts a host's daemon with a limit on what a migration may send, until the test's end.</summary>
    protected async Task LimitBandwidthAsync(LabHost host, string bitsPerSecond)
    {
        ArgumentNullException.ThrowIfNull(host);
        const string File = "/etc/ctmigrate/ctmigrated.json";
        await host.ShellAsync($$"""cp {{File}} {{File}}.before; echo '{ "bandwidth": "{{bitsPerSecond}}" }' >{{File}}""");
        AtTheEnd(async () =>
        {
            await host.RunAsync("mv", File + ".before", File);
            await host.DaemonAsync("restart");
        });
        await host.DaemonAsync("restart");
    }

    /// <summary>Waits until a host looks as it did when the test began; what ends by itself has a moment to do so.</summary>
    protected Task ShouldBeAsBeforeAsync(LabHost host, TimeSpan? within = null) => ShouldBeAsBeforeAsync(host, _before[host], within);

    /// <summary>Waits until a host looks as it did at another time.</summary>
    protected static async Task ShouldBeAsBeforeAsync(LabHost host, Leftovers before, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        IReadOnlyList<string> difference = [];
        await Eventually.TryAsync(async () => (difference = (await host.LeftoversAsync()).DifferenceTo(before)).Count == 0, within ?? SettlesWithin);
        difference.ShouldBeEmpty($"{host.Name} is not as it was before:\n{string.Join('\n', difference)}");
    }
}
