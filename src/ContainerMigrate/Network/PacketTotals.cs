namespace ContainerMigrate.Network;

/// <summary>What became of the packets that reached a container in its pause.</summary>
/// <param name="Kept">On the hosts together.</param>
/// <param name="Bytes">Of those.</param>
/// <param name="Delivered">To the container, where it runs now.</param>
/// <param name="Dropped">Beyond the bounds, or kept and not to be delivered.</param>
public sealed record PacketTotals(int Kept, long Bytes, int Delivered, int Dropped);
