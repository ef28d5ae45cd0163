using System.Diagnostics;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>Waits for what can only be asked for.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>True as soon as <paramref name="condition"/> is; false when it was not within the time.</summary>
    public static async Task<bool> TryAsync(Func<Task<bool>> condition, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            if (clock.Elapsed > timeout)
            {
                return false;
            }

            await Task.Delay(Interval);
        }

        return true;
    }

    /// <exception cref="TimeoutException"><paramref name="condition"/> was not true within the time.</exception>
    public static async Task BecomesTrueAsync(string what, Func<Task<bool>> condition, TimeSpan? timeout = null)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(20);
        if (!await TryAsync(condition, limit))
        {
            throw new TimeoutException($"not within {limit.TotalSeconds:0} s: {what}");
        }
    }
}
