using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Sends what a <see cref="TreeComparison"/> has found, and notes in the newer snapshot what the destination then has. The tree may change
/// meanwhile: what vanishes is removed there too, and what is noted is always what was sent, so that a later look finds the difference.
/// </summary>
/// <param name="cursor">At the root.</param>
/// <param name="records">Of a stream of changes.</param>
/// <param name="sender">Writes to the same records.</param>
/// <param name="before">What the destination has.</param>
/// <param name="now">What was found; gets what was sent.</param>
/// <param name="doubt">Why an entry with such a stamp, read now, may change without a trace.</param>
/// <param name="digests">For files that are likely to be sent again; null for none.</param>
internal sealed class TreeChangeSender(
    DirectoryCursor cursor, TreeRecordWriter records, TreeEntrySender sender, TreeSnapshot before, TreeSnapshot now, Func<EntryStamp, EntryDoubt> doubt, DigestBudget? digests,
    CancellationToken cancellationToken)
{
    private int[] _order = [];

    /// <summary>Entries named so far, the root left out.</summary>
    public long Entries { get; private set; }

    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public void Run()
    {
        var levels = new Stack<(int Directory, int[] Order, int Next)>();
        levels.Push((0, Begin(0), 0));
        while (levels.TryPop(out var level))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (directory, order, next) = level;
            var entered = -1;
            for (; next < order.Length && entered < 0; next++)
            {
                entered = SendChild(order[next]) ? order[next] : -1;
            }

            if (entered >= 0)
            {
                levels.Push((directory, order, next));
                levels.Push((entered, Begin(entered), 0));
                continue;
            }

            var stamp = new EntryStamp(sender.SendDirectoryEnd());
            Note(directory, stamp, doubt(stamp), 0);
            if (cursor.Depth > 0)
            {
                cursor.Leave();
            }
        }
    }

    /// <summary>Removes what has to go from a directory that was entered.</summary>
    /// <returns>Its entries that have to be sent, in the order of their inodes.</returns>
    private int[] Begin(int directory)
    {
        var count = 0;
        if (_order.Length < now[directory].ChildCount)
        {
            _order = new int[now[directory].ChildCount];
        }

        now.Pair(directory, before, now[directory].Action == EntryAction.Send ? -1 : now[directory].Before, (here, there) =>
        {
            if (there >= 0 && (here < 0 || now[here].Action == EntryAction.Send))
            {
                Remove(before.NameOf(there));
            }

            if (here >= 0 && now[here].Action != EntryAction.None)
            {
                _order[count++] = here;
            }
        });
        var order = _order.AsSpan(0, count).ToArray();
        order.AsSpan().Sort((a, b) => now[a].Stamp.Inode.CompareTo(now[b].Stamp.Inode));
        return order;
    }

    /// <returns>True when it is a directory that was entered.</returns>
    private bool SendChild(int index)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var name = now.NameOf(index);
        var isThere = now[index].Action is EntryAction.Enter or EntryAction.Patch;
        if (now[index].Stamp is { IsDirectory: true, IsMountRoot: false })
        {
            var error = cursor.TryEnter(name, out _);
            if (error == 0)
            {
                if (isThere)
                {
                    records.Enter(name);
                }
                else
                {
                    records.Directory(name);
                }

                Entries++;
                return true;
            }

            if (error is not (ErrorCode.NoEntry or ErrorCode.Stale or ErrorCode.NotDirectory or ErrorCode.Loop or ErrorCode.CrossDevice))
            {
                throw FileError.Make(error, "open", cursor.Describe(name));
            }
        }
        else if (TrySend(index, name, ref isThere))
        {
            return false;
        }

        if (isThere)
        {
            Remove(name); // gone, or something else by now: a later round finds that
        }

        return false;
    }

    private bool TrySend(int index, ReadOnlySpan<byte> name, ref bool isThere)
    {
        using var entry = Descriptor.OpenPath(cursor.Current, name);
        if (!entry.IsOpen)
        {
            return Marshal.GetLastPInvokeError() is ErrorCode.NoEntry or ErrorCode.Stale ? false : throw FileError.Last("open", cursor.Describe(name));
        }

        var status = entry.GetStatus();
        var stamp = new EntryStamp(status);
        if (status.Links == 0 || stamp.IsDirectory != now[index].Stamp.IsDirectory)
        {
            return false;
        }

        var number = 0ul;
        var why = doubt(stamp);
        BlockDigests? blocks = null;
        if (stamp.IsDirectory)
        {
            sender.SendMountPoint(name, status);
        }
        else if (isThere && stamp is { HasLinks: false, IsFile: true, IsMountRoot: false } && stamp.Identity == now[index].Stamp.Identity)
        {
            blocks = before[now[index].Before].Blocks!;
            sender.SendPatch(name, entry, status, blocks);
            blocks = stamp.Size >= DigestBudget.MinFileLength ? blocks : null;
        }
        else
        {
            if (isThere)
            {
                Remove(name);
                isThere = false;
            }

            var isLikelyToChange = why != EntryDoubt.None || now[index].Before >= 0;
            blocks = isLikelyToChange ? digests?.Take(stamp) : null;
            number = sender.Send(name, entry, status, blocks);
        }

        Entries++;
        Note(index, stamp, why, checked((uint)number));
        now[index].Blocks = blocks;
        return true;
    }

    private void Note(int index, in EntryStamp stamp, EntryDoubt why, uint number)
    {
        ref var entry = ref now[index];
        entry.Stamp = stamp;
        entry.Doubt = why;
        entry.Object = number;
        entry.IsSent = true;
    }

    private void Remove(ReadOnlySpan<byte> name)
    {
        records.Remove(name);
        Entries++;
    }
}
