namespace ContainerMigrate.Daemon.Peers;

internal sealed class PeerEventArgs(Peer peer) : EventArgs
{
    public Peer Peer { get; } = peer;
}
