namespace ContainerMigrate.Tests.Memory;

/// <summary>A page that a destination has to have.</summary>
internal sealed record TruePage(ulong Address, byte[] Content, string Mapping, ulong? SharedInode, ulong Offset)
{
    public override string ToString() => Mapping;
}
