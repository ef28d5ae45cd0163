namespace ContainerMigrate.HostTests.Lab;

/// <summary>A host whose CRIU runs under a limit of the shell's `ulimit`, until disposed.</summary>
public sealed class LimitedCriu : IAsyncDisposable
{
    private const string InFront = "/usr/local/sbin/criu";

    private readonly LabHost _host;

    private LimitedCriu(LabHost host) => _host = host;

    /// <param name="limit">Option and value of `ulimit`.</param>
    public static async Task<LimitedCriu> OnAsync(LabHost host, string limit)
    {
        ArgumentNullException.ThrowIfNull(host);
        // The lab may have put one there already: see tests/lab/lib/criu.sh.
        await host.ShellAsync($"""
            criu=$(command -v criu)
            if [ "$criu" = {InFront} ]; then mv {InFront} {InFront}.unlimited; criu={InFront}.unlimited; fi
            printf '#!/bin/sh\nulimit %s\nexec %s "$@"\n' '{limit}' "$criu" >{InFront}.new
            chmod 755 {InFront}.new
            mv {InFront}.new {InFront}
            """);
        return new LimitedCriu(host);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() =>
        await _host.ShellAsync($"if [ -e {InFront}.unlimited ]; then mv {InFront}.unlimited {InFront}; else rm {InFront}; fi");
}
