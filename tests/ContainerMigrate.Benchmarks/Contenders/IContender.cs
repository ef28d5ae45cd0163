namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>
/// A way to move a running container from h1 to h2. Calls come in the order prepare, move, clean up, and again; clean-up comes whatever
/// became of the two before.
/// </summary>
internal interface IContender
{
    /// <summary>ctmigrate, docker, podman or runc.</summary>
    string Tool { get; }

    /// <summary>What the container runs under.</summary>
    string Runtime { get; }

    /// <summary>How memory is moved, where the move itself does not tell.</summary>
    string Mode { get; }

    /// <summary>
    /// Starts the container on h1, at <see cref="Workload.Address"/>, and does on h2 whatever can be done long before the move: it is not counted.
    /// </summary>
    Task PrepareAsync(Workload workload, CancellationToken cancellationToken);

    /// <summary>Moves it. All of it counts as the total time.</summary>
    /// <exception cref="MoveFailedException">The container was not moved.</exception>
    Task<MoveResult> MoveAsync(CancellationToken cancellationToken);

    /// <summary>Leaves both hosts as they were before <see cref="PrepareAsync"/>.</summary>
    Task CleanUpAsync(CancellationToken cancellationToken);
}
