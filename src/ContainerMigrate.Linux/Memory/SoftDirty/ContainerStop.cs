using System.Diagnostics;
using ContainerMigrate.Linux.Cgroups;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>Lets a container stand still for a moment. Who dies meanwhile leaves it frozen: the migration's journal says so, and recovery thaws it.</summary>
internal sealed class ContainerStop(string cgroupDirectory)
{
    // A process in state D would keep the others waiting. They have waited long enough then; the next scan tries again.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    private readonly CgroupFreezer _freezer = new();

    /// <summary>Whether it stands still already, by whomever.</summary>
    internal bool IsFrozen => _freezer.IsFrozen(cgroupDirectory);

    /// <summary>Does something while it stands still; not at all if it does not come to a stop soon.</summary>
    /// <returns>For how long it stood still, and whether it did to the end: somebody else may have thawed it.</returns>
    internal async Task<(TimeSpan Stopped, bool ToTheEnd)> DuringAsync(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        var isOurs = !await IsRequestedAsync();
        try
        {
            await _freezer.FreezeAsync(cgroupDirectory, Patience, CancellationToken.None);
        }
        catch (MigrationException)
        {
            return (Stopwatch.GetElapsedTime(started), true); // thawed again, with nothing done
        }

        bool toTheEnd;
        try
        {
            action();
            toTheEnd = IsFrozen;
        }
        finally
        {
            if (isOurs)
            {
                await _freezer.ThawAsync(cgroupDirectory, CancellationToken.None);
            }
        }

        return (Stopwatch.GetElapsedTime(started), toTheEnd);
    }

    private async Task<bool> IsRequestedAsync()
    {
        try
        {
            return (await File.ReadAllTextAsync(Path.Combine(cgroupDirectory, "cgroup.freeze"))).StartsWith('1');
        }
        catch (IOException)
        {
            return false; // gone, as will be found
        }
    }
}
