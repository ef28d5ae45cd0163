namespace ContainerMigrate.Daemon.Peers;

/// <summary>Registered by whoever needs a peer to stay paired, as a migration does that has not ended.</summary>
internal interface IPeerUse
{
    /// <returns>What the peer is needed for, in a few words; null when it may go.</returns>
    string? DescribeUse(string peerName);
}
