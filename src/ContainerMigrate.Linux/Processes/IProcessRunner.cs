namespace ContainerMigrate.Linux.Processes;

/// <summary>Runs programs. Every program runs in a process group of its own and is stopped with it.</summary>
public interface IProcessRunner
{
    /// <summary>
    /// Runs a program to its end. An exit code other than 0, a timeout and a missing program are results, not exceptions.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled; the program is gone when this is thrown.</exception>
    Task<ProcessResult> RunAsync(ProcessCommand command, CancellationToken cancellationToken);

    /// <summary>Starts a program whose standard input and output the caller streams. Disposing stops it.</summary>
    /// <exception cref="ProcessStartException">It could not be started.</exception>
    Task<IRunningProcess> StartAsync(ProcessCommand command, CancellationToken cancellationToken);
}
