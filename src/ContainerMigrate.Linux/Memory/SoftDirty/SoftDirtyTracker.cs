using System.Globalization;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>Tracks with the soft-dirty bits of page tables (CONFIG_MEM_SOFT_DIRTY; Documentation/admin-guide/mm/soft-dirty.rst).</summary>
internal sealed class SoftDirtyTracker(IProcessRunner processes) : IMemoryTracker
{
    /// <inheritdoc/>
    public async Task<MemoryTrackerAvailability> GetAvailabilityAsync(CancellationToken cancellationToken)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return MemoryTrackerAvailability.No("memory tracking is made for x86-64 only");
        }

        if (!MemoryTrackingProbe.Read().SoftDirty)
        {
            return MemoryTrackerAvailability.No("this kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)");
        }

        if (Pagemap.ZeroFrame is null)
        {
            return MemoryTrackerAvailability.No("the daemon may not see page frames in /proc/PID/pagemap (CAP_SYS_ADMIN)");
        }

        try
        {
            return await RehearseAsync(cancellationToken);
        }
        catch (ProcessStartException exception)
        {
            return MemoryTrackerAvailability.No(exception.Message);
        }
    }

    /// <inheritdoc/>
    public async Task<IMemoryTracking> StartAsync(string cgroupDirectory, CancellationToken cancellationToken)
    {
        // Every time: whatever has to be compiled for it must not be compiled while the container stands still.
        var availability = await GetAvailabilityAsync(cancellationToken);
        return availability.Available ? new SoftDirtyTracking(cgroupDirectory) : throw new MigrationException("memory", availability.Reason);
    }

    /// <summary>Whether the bits of a process of ours can be cleared, and then say that it has written something and not everything.</summary>
    private async Task<MemoryTrackerAvailability> RehearseAsync(CancellationToken cancellationToken)
    {
        await using var child = await processes.StartAsync(new ProcessCommand("sh", "-c", "echo $$; read line; echo $line; read line"), cancellationToken);
        using var answers = new StreamReader(child.StandardOutput, leaveOpen: true);
        using var space = int.TryParse(await answers.ReadLineAsync(cancellationToken), CultureInfo.InvariantCulture, out var id) ? SoftDirtySpace.Open(id) : null;
        if (space is null || !space.Begin())
        {
            return MemoryTrackerAvailability.No("a process for a trial could not be looked at");
        }

        var all = CountFound(space);
        var isCleared = space.Look() && space.Settle() && CountFound(space) < all;
        await child.StandardInput.WriteAsync("again\n"u8.ToArray(), cancellationToken);
        await child.StandardInput.FlushAsync(cancellationToken);
        await answers.ReadLineAsync(cancellationToken);
        return space.LookAndSettle(clear: true) && isCleared && CountFound(space) is > 0 and var written && written < all
            ? MemoryTrackerAvailability.Yes(MemoryTrackers.SoftDirty)
            : MemoryTrackerAvailability.No("the soft-dirty bits of a process started for a trial do not say what it has written");
    }

    private static long CountFound(SoftDirtySpace space)
    {
        var (anonymous, ofFiles) = space.TakeFound();
        return anonymous.PageCount + ofFiles.PageCount;
    }
}
