using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// A network namespace with nothing but a loopback link, for CRIU's page servers: they ask nobody who he is, and whoever reached one first
/// could read the container's memory. Goes with this process and with the last CRIU in it.
/// </summary>
internal sealed class PageServerNetwork(IProcessRunner processes) : IDisposable
{
    private readonly SemaphoreSlim _making = new(1, 1);
    private SafeFileHandle? _namespace;

    /// <summary>Path by which this process can enter it; made at the first call.</summary>
    /// <exception cref="IOException">There may be none.</exception>
    public async Task<string> GetPathAsync(CancellationToken cancellationToken)
    {
        await _making.WaitAsync(cancellationToken);
        try
        {
            if (_namespace is null)
            {
                var made = await NetworkNamespace.RunInNewAsync(() => File.OpenHandle("/proc/thread-self/ns/net"));
                var result = await processes.RunAsync(new ProcessCommand("ip", "link", "set", "lo", "up") { NetworkNamespacePath = PathOf(made), Timeout = TimeSpan.FromSeconds(10) }, cancellationToken);
                if (result.ExitCode != 0)
                {
                    made.Dispose();
                    throw new IOException($"ip link set lo up: {result.FailureReason}");
                }

                _namespace = made;
            }

            return PathOf(_namespace);
        }
        finally
        {
            _making.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _namespace?.Dispose();
        _making.Dispose();
    }

    private static string PathOf(SafeFileHandle handle) => $"/proc/self/fd/{handle.DangerousGetHandle()}";
}
