namespace ContainerMigrate.Memory;

/// <summary>The destination's end of pre-copy: keeps the memory that went ahead, and fills a restored container's in from it.</summary>
public interface IMemoryArrivals
{
    /// <summary>Begins to keep memory of a migration.</summary>
    /// <param name="migrationDirectory">The migration's own directory.</param>
    /// <param name="expectedBytes">What the source has announced; there has to be room for it.</param>
    /// <param name="maxBytes">More than that is refused.</param>
    IArrivingMemory Open(string migrationDirectory, long expectedBytes, long maxBytes);

    /// <summary>Removes what was kept of a migration that came to nothing, and ends whatever served it. Idempotent.</summary>
    Task RemoveAsync(string migrationDirectory);

    /// <summary>Whether memory that a container brought from its last move is still on its way into place.</summary>
    bool IsFillingIn(string containerId);

    /// <summary>Why some of the memory that a container brought from its last move is nowhere any more; null when that is not so.</summary>
    string? FindLoss(string containerId);

    /// <summary>
    /// Returns when all memory that a container brought from its last move is in place: until then its page tables do not tell what it has.
    /// </summary>
    /// <exception cref="Migration.MigrationException">Some of it is lost.</exception>
    Task WaitUntilFilledAsync(string containerId, CancellationToken cancellationToken);

    /// <summary>After a start of the daemon: takes hold again of memory that is still being filled in.</summary>
    /// <returns>What has become of it.</returns>
    Task<ResumedMemory> ResumeAsync(string migrationDirectory, CancellationToken cancellationToken);
}

/// <summary>Memory of one migration. Disposing it lets go of what is open; what was served goes on being served.</summary>
public interface IArrivingMemory : IAsyncDisposable
{
    /// <summary>Keeps what a stream of <see cref="PageStreamFormat"/> brings, in the place of what came before.</summary>
    /// <exception cref="InvalidDataException">The stream is damaged, brings too much, or ends early.</exception>
    /// <exception cref="IOException">There is no room.</exception>
    Task<PageStreamTotals> ReceiveAsync(Stream source, CancellationToken cancellationToken);

    /// <summary>
    /// Nothing more will come: returns when CRIU can restore, lazily. Goes on by itself, also when this daemon ends, until all memory is
    /// filled in; then what was kept is removed.
    /// </summary>
    /// <param name="imagesDirectory">CRIU's images, which say what they leave out.</param>
    /// <exception cref="Migration.MigrationException">It cannot be served: the images leave out a page that never came.</exception>
    /// <returns>What the source has kept and has to be asked for; null when everything is here. Owned by the caller.</returns>
    Task<IMissingMemory?> ServeAsync(string imagesDirectory, CancellationToken cancellationToken);

    /// <summary>All processes are rebuilt: what none of them asks for may be filled in too.</summary>
    /// <param name="containerId">Whose memory it is from now on.</param>
    void Begin(string containerId);
}

/// <summary>Memory that was being filled in when a daemon died.</summary>
/// <param name="Missing">What the source still has to be asked for; null when everything is here. Owned by the caller.</param>
/// <param name="Lost">Why some of it is nowhere any more; null when that is not so.</param>
public sealed record ResumedMemory(IMissingMemory? Missing, string? Lost);
