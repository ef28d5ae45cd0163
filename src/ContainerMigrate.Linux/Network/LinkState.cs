namespace ContainerMigrate.Linux.Network;

/// <summary>A link as rtnetlink describes it.</summary>
/// <param name="Mac">Null for what has no Ethernet address.</param>
/// <param name="Kind"><c>veth</c>, <c>macvlan</c>, ...; empty for hardware.</param>
/// <param name="Mode">Number of the kind's mode (macvlan, ipvlan), else null.</param>
/// <param name="LowerIndex">Index of macvlan's parent or veth's peer, which may be in another namespace; 0 when there is none.</param>
/// <param name="MasterIndex">Index of the bridge it is a port of; 0 when there is none.</param>
internal sealed record LinkState(int Index, string Name, uint Flags, MacAddress? Mac, string Kind, int Mtu, uint? Mode, int LowerIndex, int MasterIndex)
{
    internal bool IsLoopback => (Flags & 0x8) != 0; // IFF_LOOPBACK

    internal bool IsUp => (Flags & 0x1) != 0; // IFF_UP

    /// <summary>False for links whose neighbours are not asked for (ipvlan in L3 mode, tunnels).</summary>
    internal bool ResolvesNeighbours => (Flags & 0x80) == 0; // IFF_NOARP
}
