using System.Collections.Immutable;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>The paired hosts. Every change is on disk before anybody sees it. Thread-safe.</summary>
internal sealed class PeerDirectory
{
    private readonly string _file;
    private readonly Lock _changing = new();
    private ImmutableArray<Peer> _peers;

    private PeerDirectory(string file, IReadOnlyList<Peer> peers)
    {
        _file = file;
        _peers = [.. peers];
    }

    /// <summary>Raised after a peer was replaced or removed, with the entry that holds no longer.</summary>
    public event EventHandler<PeerEventArgs>? Retired;

    public IReadOnlyList<Peer> All => _peers;

    /// <exception cref="Configuration.ConfigurationException">The file cannot be used.</exception>
    public static PeerDirectory Load(string file) => new(file, PeersFile.Read(file));

    public Peer? FindByName(string name) => _peers.FirstOrDefault(p => p.Name == name);

    public Peer? FindByFingerprint(string fingerprint) => _peers.FirstOrDefault(p => p.Fingerprint == fingerprint);

    /// <summary>Finds what an operator typed: a name, or the address that a peer is known under.</summary>
    public Peer? Find(string nameOrAddress) =>
        FindByName(nameOrAddress)
        ?? _peers.FirstOrDefault(p => string.Equals(p.Address.Host, nameOrAddress, StringComparison.OrdinalIgnoreCase)
            || string.Equals(p.Address.ToString(), nameOrAddress, StringComparison.OrdinalIgnoreCase));

    /// <summary>Pins a host. One that was known by another name or address is known by the new ones from now on.</summary>
    /// <returns>False, with nothing changed, when the name belongs to a host with another fingerprint.</returns>
    public bool TryAdd(Peer peer)
    {
        ImmutableArray<Peer> retired;
        lock (_changing)
        {
            if (_peers.Any(p => p.Name == peer.Name && p.Fingerprint != peer.Fingerprint))
            {
                return false;
            }

            retired = [.. _peers.Where(p => p.Fingerprint == peer.Fingerprint)];
            if (retired is [var same] && same.Name == peer.Name && same.Address == peer.Address)
            {
                return true;
            }

            Replace([.. _peers.Where(p => p.Fingerprint != peer.Fingerprint), peer]);
        }

        Announce(retired);
        return true;
    }

    /// <returns>The peer that is forgotten; null when there was none of that name.</returns>
    public Peer? Remove(string name)
    {
        Peer? peer;
        lock (_changing)
        {
            peer = FindByName(name);
            if (peer is null)
            {
                return null;
            }

            Replace(_peers.Remove(peer));
        }

        Announce([peer]);
        return peer;
    }

    private void Replace(ImmutableArray<Peer> peers)
    {
        PeersFile.Write(_file, peers);
        ImmutableInterlocked.InterlockedExchange(ref _peers, peers);
    }

    private void Announce(ImmutableArray<Peer> retired)
    {
        foreach (var peer in retired)
        {
            Retired?.Invoke(this, new PeerEventArgs(peer));
        }
    }
}
