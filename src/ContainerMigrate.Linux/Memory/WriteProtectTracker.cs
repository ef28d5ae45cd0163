using System.Globalization;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Tracks with userfaultfd's asynchronous write protection and PAGEMAP_SCAN (Linux 6.7).</summary>
internal sealed class WriteProtectTracker(IProcessRunner processes) : IMemoryTracker
{
    /// <inheritdoc/>
    public async Task<MemoryTrackerAvailability> GetAvailabilityAsync(CancellationToken cancellationToken)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return MemoryTrackerAvailability.No("memory tracking is made for x86-64 only");
        }

        if (!MemoryTrackingProbe.Read().WriteProtectAsync)
        {
            return MemoryTrackerAvailability.No("this kernel has no WP_ASYNC for userfaultfd, or no PAGEMAP_SCAN (Linux 6.7 and newer), or the daemon may not use them");
        }

        try
        {
            // A grandchild: of a child every thread of ours that waits for it is told that it has stopped (kernel/exit.c, wait_task_stopped). It tells
            // its number and reads its input until we close it.
            await using var child = await processes.StartAsync(new ProcessCommand("sh", "-c", "exec 3<&0; sh -c 'echo $$; read line' <&3 & wait"), cancellationToken);
            using var answers = new StreamReader(child.StandardOutput, leaveOpen: true);
            return int.TryParse(await answers.ReadLineAsync(cancellationToken), CultureInfo.InvariantCulture, out var trial)
                ? await RehearseAsync(trial)
                : MemoryTrackerAvailability.No("a process for a trial could not be started");
        }
        catch (ProcessStartException exception)
        {
            return MemoryTrackerAvailability.No(exception.Message);
        }
    }

    /// <inheritdoc/>
    public async Task<IMemoryTracking> StartAsync(string cgroupDirectory, CancellationToken cancellationToken)
    {
        // Every time: whatever has to be compiled for it must not be compiled while a process of the container stands still.
        var availability = await GetAvailabilityAsync(cancellationToken);
        return availability.Available
            ? new MemoryTracking(cgroupDirectory)
            : throw new MigrationException("memory", availability.Reason);
    }

    private static async Task<MemoryTrackerAvailability> RehearseAsync(int processId)
    {
        using var process = ProcessDescriptor.Open(processId);
        using var space = AddressSpace.Open(processId);
        if (process is null || space is null)
        {
            return MemoryTrackerAvailability.No("a process started for a trial has ended");
        }

        var outcome = await UserFaultRequest.RunAsync(processId, process, space.Memory);
        if (outcome.Descriptor is not { } descriptor || !space.Track(descriptor))
        {
            return MemoryTrackerAvailability.No($"a process started for a trial could not be tracked: {outcome.Refusal ?? "no WP_ASYNC"}");
        }

        return space.Scan() && space.Scan() ? MemoryTrackerAvailability.Yes(MemoryTrackers.WriteProtect) : MemoryTrackerAvailability.No("the memory of a process started for a trial could not be read");
    }
}
