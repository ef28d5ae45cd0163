using ContainerMigrate.Checks;

namespace ContainerMigrate.Migration;

/// <summary>Looks after the room where an arriving volume goes, which others may need too: it ends the transfer before nothing is left.</summary>
internal static class RoomWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <param name="directory">Where it goes.</param>
    /// <param name="receive">The transfer.</param>
    /// <exception cref="MigrationException">There is too little room left.</exception>
    public static async Task<T> RunAsync<T>(MigrationEnvironment environment, string directory, Func<CancellationToken, Task<T>> receive, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var left = long.MaxValue;
        var watch = WatchAsync();
        try
        {
            return await receive(stop.Token);
        }
        catch (OperationCanceledException) when (left < HostComparison.SpareVolumeBytes && !cancellationToken.IsCancellationRequested)
        {
            throw new MigrationException("transfer", $"no space left for {directory}: {ByteSize.Format(left)} are free, and {ByteSize.Format(HostComparison.SpareVolumeBytes)} have to stay", "free disk there");
        }
        finally
        {
            await stop.CancelAsync();
            await watch;
        }

        async Task WatchAsync()
        {
            while (!stop.IsCancellationRequested)
            {
                // Without an exception for each volume of each round that ends well.
                await Task.Delay(Interval, environment.Time, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!stop.IsCancellationRequested && (left = environment.Directories.Look(directory, followLink: true).FreeBytes) < HostComparison.SpareVolumeBytes)
                {
                    await stop.CancelAsync();
                }
            }
        }
    }
}
