namespace ContainerMigrate.Daemon.LocalApi;

/// <summary>Announces the addresses of a container that runs here.</summary>
internal interface IContainerAnnouncements
{
    /// <param name="container">As in <see cref="Api.AnnounceRequest"/>.</param>
    /// <returns>One line an address.</returns>
    /// <exception cref="ApiException">There is no such running container.</exception>
    Task<IReadOnlyList<string>> AnnounceAsync(string container, CancellationToken cancellationToken);
}
