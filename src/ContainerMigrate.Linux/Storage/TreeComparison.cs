using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Says of each entry that a scan has found what has to be done about it, by what was sent before. An entry is left alone only if it is the
/// same inode with all the same times, and nobody may have changed it without a trace. Names that are one file are left alone together, when
/// they and nothing else are one file at the destination, or sent anew together.
/// </summary>
/// <param name="before">What the destination has.</param>
/// <param name="now">What was found; gets <see cref="TreeEntry.Action"/>, and what is known of entries that are left alone.</param>
/// <param name="isLast">Nothing is left to a later round.</param>
/// <param name="isWriting">Whether somebody still writes to an inode in a way that leaves no trace.</param>
internal sealed class TreeComparison(TreeSnapshot before, TreeSnapshot now, bool isLast, Func<EntryStamp, bool> isWriting)
{
    private readonly Dictionary<(ulong Inode, long Born), Group> _groups = [];

    /// <summary>What is to be done.</summary>
    /// <returns>Entries to send or to remove, and about how many bytes of content at most.</returns>
    public (long Entries, long Bytes) Run()
    {
        now[0].Before = 0;
        for (var i = 0; i < now.Count; i++)
        {
            Match(i);
        }

        var (entries, bytes) = (0L, 0L);
        for (var i = now.Count - 1; i >= 0; i--)
        {
            // Behind its directory lies each entry, so what is in a directory is decided on by now.
            var action = now[i].Stamp.IsDirectory ? DecideDirectory(i, ref entries) : Decide(i);
            ref var entry = ref now[i];
            entry.Action = action;
            if (action == EntryAction.None)
            {
                Keep(ref entry);
            }
            else if (i > 0)
            {
                entries++;
                bytes += entry.Stamp is { IsFile: true, IsMountRoot: false } ? (long)entry.Stamp.Size : 0;
            }
        }

        return (entries, bytes);
    }

    private bool IsSame(in TreeEntry entry) => entry.Before >= 0 && before[entry.Before].Stamp == entry.Stamp && !IsInDoubt(entry);

    private bool IsInDoubt(in TreeEntry entry) => before[entry.Before].Doubt switch
    {
        EntryDoubt.None => false,
        // It would have to be looked at once more anyway.
        EntryDoubt.Writer => isLast || !isWriting(entry.Stamp),
        _ => true,
    };

    private void Match(int index)
    {
        ref var entry = ref now[index];
        if (entry.Stamp.IsDirectory)
        {
            if (entry.Before >= 0 && before[entry.Before].Stamp.IsDirectory)
            {
                now.Pair(index, before, entry.Before, (here, there) =>
                {
                    if (here >= 0)
                    {
                        now[here].Before = there;
                    }
                });
            }
        }
        else if (entry.Stamp.HasLinks)
        {
            ref var group = ref CollectionsMarshal.GetValueRefOrAddDefault(_groups, entry.Stamp.Identity, out var exists);
            var number = IsSame(entry) ? before[entry.Before].Object : 0;
            group = new Group(exists && group.Number != number ? 0 : number, group.Names + 1);
        }
    }

    private EntryAction Decide(int index)
    {
        ref var entry = ref now[index];
        if (entry.Stamp.HasLinks)
        {
            var group = _groups[entry.Stamp.Identity];
            return group.Number != 0 && group.Names == before.NamesOf(group.Number) ? EntryAction.None : EntryAction.Send;
        }

        if (entry.Before < 0 || before[entry.Before].Object != 0)
        {
            return EntryAction.Send;
        }

        ref var old = ref before[entry.Before];
        return IsSame(entry) ? EntryAction.None
            : old.Blocks is not null && entry.Stamp is { IsFile: true, IsMountRoot: false } && (old.IsKept || old.Stamp.Identity == entry.Stamp.Identity) ? EntryAction.Patch
            : EntryAction.Send;
    }

    private EntryAction DecideDirectory(int index, ref long removed)
    {
        ref var entry = ref now[index];
        if (entry.Before < 0 || !before[entry.Before].Stamp.IsDirectory)
        {
            return EntryAction.Send;
        }

        ref var old = ref before[entry.Before];
        if (entry.Stamp.IsMountRoot || old.Stamp.IsMountRoot)
        {
            return IsSame(entry) ? EntryAction.None : EntryAction.Send;
        }

        var isDifferent = !IsSame(entry);
        var gone = 0;
        now.Pair(index, before, entry.Before, (here, _) =>
        {
            gone += here < 0 ? 1 : 0;
            isDifferent |= here < 0 || now[here].Action != EntryAction.None;
        });
        removed += gone;
        return isDifferent ? EntryAction.Enter : EntryAction.None;
    }

    private void Keep(ref TreeEntry entry)
    {
        ref var old = ref before[entry.Before];
        entry.Object = old.Object;
        entry.Doubt = old.Doubt;
        entry.Blocks = old.Blocks;
        entry.IsSent = true;
    }

    /// <param name="Number">Of the object that all names were sent as, unchanged since; 0 when there is none.</param>
    /// <param name="Names">How many there are in the tree.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Group(uint Number, int Names);
}
