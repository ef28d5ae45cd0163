using ContainerMigrate.Memory;

namespace ContainerMigrate.Protocol;

/// <summary>Finds the sources of containers that have arrived here.</summary>
public interface ISourcePeers
{
    /// <returns>Null when no host of that name is paired.</returns>
    ISourcePeer? Find(string name);
}

/// <summary>A source as its destination sees it, once that runs a container whose memory has stayed behind.</summary>
public interface ISourcePeer
{
    /// <summary>Returns when it has answered at all.</summary>
    /// <exception cref="PeerUnreachableException">It does not.</exception>
    Task GreetAsync(CancellationToken cancellationToken);

    /// <summary>Asks for pages. Each call under way has a connection of its own; a silence of some seconds ends it.</summary>
    /// <param name="urgent">Somebody waits for them.</param>
    /// <param name="sink">Gets what comes, as it comes, checked for nothing but the stream's own form.</param>
    /// <exception cref="PeerUnreachableException">The link is cut, or the source's daemon is gone.</exception>
    /// <exception cref="Migration.MigrationException">The source refuses, in its own words.</exception>
    /// <exception cref="InvalidDataException">What came is no page stream.</exception>
    Task FetchAsync(string migrationId, IReadOnlyList<PageRequest> requests, bool urgent, IPageSink sink, CancellationToken cancellationToken);
}
