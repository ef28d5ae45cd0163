namespace ContainerMigrate.HostTests.Lab;

/// <summary>A host whose CRIU is not quite what it was, until disposed.</summary>
public sealed class AlteredCriu : IAsyncDisposable
{
    private const string InFront = "/usr/local/sbin/criu";

    private readonly LabHost _host;

    private AlteredCriu(LabHost host) => _host = host;

    /// <summary>It runs under a limit of the shell's `ulimit`.</summary>
    /// <param name="limit">Option and value of `ulimit`.</param>
    public static Task<AlteredCriu> LimitedAsync(LabHost host, string limit) => BeginAsync(host, $"ulimit {limit}");

    /// <summary>It says that it is of another version.</summary>
    public static Task<AlteredCriu> OfVersionAsync(LabHost host, string version) =>
        BeginAsync(host, $"""[ "$1" != --version ] || exec echo "Version: {version}" """);

    /// <summary>It is ended as soon as it restores anything.</summary>
    public static Task<AlteredCriu> FailingToRestoreAsync(LabHost host) => BeginAsync(host, """case "$*" in *swrk*) sleep 0.3; exit 1 ;; esac""");

    /// <summary>It crashes, as Debian 12's does on kernels from 6.13 on.</summary>
    public static Task<AlteredCriu> CrashingAsync(LabHost host) => BeginAsync(host, "kill -ABRT $$");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() =>
        await _host.ShellAsync($"if [ -e {InFront}.unaltered ]; then mv {InFront}.unaltered {InFront}; else rm {InFront}; fi");

    private static async Task<AlteredCriu> BeginAsync(LabHost host, string before)
    {
        ArgumentNullException.ThrowIfNull(host);
        // The lab may have put one there already: see tests/lab/lib/criu.sh.
        await host.ShellAsync($"""
            criu=$(command -v criu)
            if [ "$criu" = {InFront} ]; then mv {InFront} {InFront}.unaltered; criu={InFront}.unaltered; fi
            printf '#!/bin/sh\n%s\nexec %s "$@"\n' '{before}' "$criu" >{InFront}.new
            chmod 755 {InFront}.new
            mv {InFront}.new {InFront}
            """);
        return new AlteredCriu(host);
    }
}
