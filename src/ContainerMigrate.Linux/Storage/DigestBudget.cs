namespace ContainerMigrate.Linux.Storage;

/// <summary>Which files get <see cref="BlockDigests"/>: large ones that change while they are followed, as long as there is room for them.</summary>
/// <param name="available">Bytes that they may take yet.</param>
internal sealed class DigestBudget(long available)
{
    /// <summary>Bytes that the digests of one tree may take: enough for 64 GiB.</summary>
    public const long All = 128 << 20;

    /// <summary>Smaller files are sent whole in about the time that it takes to compare them.</summary>
    public const ulong MinFileLength = 256 << 10;

    // 64 MiB of digests.
    private const ulong MaxFileLength = 32ul << 30;

    private long _left = available;

    /// <summary>Where the digests of a file go that is sent whole now; null when none are to be kept.</summary>
    public BlockDigests? Take(in EntryStamp stamp)
    {
        var cost = 256 + (16 * (long)(stamp.Size / BlockDigests.BlockLength));
        if (stamp is not { IsFile: true, HasLinks: false, IsMountRoot: false, Size: >= MinFileLength and <= MaxFileLength } || cost > _left)
        {
            return null;
        }

        _left -= cost;
        return new BlockDigests(BlockHash.Own);
    }
}
