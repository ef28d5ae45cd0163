namespace ContainerMigrate.HostTests.Lab;

/// <summary>A destination that commits and does not come to running the container, until disposed: its hook at the gate waits once the decision is made.</summary>
public sealed class HeldCommit : IAsyncDisposable
{
    private const string Hook = "/usr/lib/ctmigrate/ctmigrate-criu-hook";

    private readonly LabHost _host;

    private HeldCommit(LabHost host) => _host = host;

    public static async Task<HeldCommit> BeginAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        await host.ShellAsync($$"""
            touch /run/hold-commit
            cp -p {{Hook}} {{Hook}}.unaltered
            sed 's|^    is_committed$|    while [ -e /run/hold-commit ]; do sleep 0.1; done; is_committed|' {{Hook}}.unaltered >{{Hook}}.new
            ! cmp -s {{Hook}}.new {{Hook}}.unaltered
            chmod 755 {{Hook}}.new
            mv {{Hook}}.new {{Hook}}
            """);
        return new HeldCommit(host);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _host.ShellAsync($"rm -f /run/hold-commit; [ ! -e {Hook}.unaltered ] || mv {Hook}.unaltered {Hook}");
}
