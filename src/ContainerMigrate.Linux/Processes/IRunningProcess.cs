namespace ContainerMigrate.Linux.Processes;

/// <summary>A program that runs; disposing it stops it and waits until it is gone.</summary>
public interface IRunningProcess : IAsyncDisposable
{
    int Id { get; }

    bool HasEnded { get; }

    /// <summary>Disposing it closes the program's standard input.</summary>
    Stream StandardInput { get; }

    /// <summary>The caller has to read it: a full pipe stops the program.</summary>
    Stream StandardOutput { get; }

    /// <summary>What it wrote to standard error so far, the last <see cref="ProcessCommand.MaxOutputBytes"/> bytes.</summary>
    string StandardError { get; }

    /// <summary>Waits for its end; <see cref="ProcessResult.StandardOutput"/> is empty, since the caller read it.</summary>
    Task<ProcessResult> WaitAsync(CancellationToken cancellationToken);

    /// <summary>SIGTERM to its group, after <see cref="ProcessCommand.StopGrace"/> SIGKILL; returns when it is gone.</summary>
    Task StopAsync();
}
