namespace ContainerMigrate.Memory;

/// <summary>Reads the memory of frozen processes that have been handed over, whatever daemon froze them.</summary>
public interface IFrozenMemory
{
    /// <summary>What identifies a process beyond this daemon's life.</summary>
    LeftProcess Identify(ContainerProcessId process);

    /// <summary>Opens the memory of processes. Those that have ended have no pages.</summary>
    /// <returns>To be disposed of; serves several threads.</returns>
    IFrozenPages Open(IReadOnlyCollection<LeftProcess> processes);
}

/// <summary>Pages of frozen processes.</summary>
public interface IFrozenPages : IPageSource, IDisposable;

/// <summary>A process of a frozen container.</summary>
/// <param name="ProcessId">In the container's own pid namespace.</param>
/// <param name="HostId">Its pid on this host.</param>
/// <param name="StartTime">When it was started, in clock ticks since the kernel was: another process of that number has another.</param>
public sealed record LeftProcess(int ProcessId, int HostId, long StartTime);
