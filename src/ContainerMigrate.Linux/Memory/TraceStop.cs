namespace ContainerMigrate.Linux.Memory;

/// <summary>Why a traced thread stands still (ptrace(2), "Stopped states").</summary>
internal enum TraceStop
{
    /// <summary>On its way to user mode, where nothing of it is lost whatever the registers are set to: PTRACE_EVENT_STOP.</summary>
    Trap,

    /// <summary>About to enter a system call, or just out of it.</summary>
    SystemCall,

    /// <summary>About to receive a signal.</summary>
    Signal,

    /// <summary>It does not, within the time.</summary>
    None,

    /// <summary>It has ended.</summary>
    Ended,
}
