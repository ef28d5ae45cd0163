namespace ContainerMigrate.Network;

/// <summary>Tells the network segment that a container's addresses now live behind another port.</summary>
public interface IAddressAnnouncer
{
    /// <summary>
    /// Sends one burst for every link of the namespace at once (RARP; gratuitous ARP request and reply; unsolicited
    /// neighbour advertisement; directed ARP/NS to the gateway) and repeats it in the background at 50, 200, 450, 800 ms, 2 s and 5 s.
    /// Returns after the first burst.
    /// </summary>
    /// <returns>One line an address, for people.</returns>
    Task<IReadOnlyList<string>> AnnounceAsync(string networkNamespacePath, CancellationToken cancellationToken);
}
