using System.Collections.Concurrent;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>
/// Which pages an address space had at one moment: 8 bytes for each. Pages of different page tables may be noted by several threads at once.
/// </summary>
/// <remarks>
/// The soft-dirty bit alone does not tell that a page has another content: mremap(2) of whole page tables (2 MiB) takes unwritten pages elsewhere, and
/// a page that was written there and has been merged with an equal one (KSM) has lost its bit (mm/mremap.c, move_normal_pmd; mm/ksm.c, replace_page).
/// </remarks>
internal sealed class PageIdentities
{
    private readonly ConcurrentDictionary<ulong, ulong[]> _tables = [];

    /// <summary>
    /// Adds the pages that have changed: there now, and written or not the same as in <paramref name="before"/>. Notes those that there are in <paramref name="now"/>.
    /// </summary>
    /// <param name="start">Address of the first entry.</param>
    /// <param name="entries">As the kernel gives them; of one page table.</param>
    /// <param name="kind">Of the mapping.</param>
    /// <param name="zeroFrame">As for <see cref="PagemapEntry.Identify"/>.</param>
    /// <param name="before">What is known.</param>
    /// <param name="now">Null: nothing is to be noted.</param>
    /// <param name="changed">Gets the pages.</param>
    /// <returns>Whether there is any page.</returns>
    internal static bool Compare(ulong start, ReadOnlySpan<ulong> entries, MappingKind kind, ulong zeroFrame, PageIdentities before, PageIdentities? now, PageSet changed)
    {
        if (PagemapEntry.AreEmpty(entries))
        {
            return false;
        }

        var table = start & ~(Pagemap.TableBytes - 1);
        var first = (int)((start - table) / MemoryPage.Bytes);
        before._tables.TryGetValue(table, out var known);
        ulong[]? noted = null;
        var any = false;
        var run = -1; // where a run of changed pages began
        for (var i = 0; i < entries.Length; i++)
        {
            var identity = PagemapEntry.Identify(entries[i], kind, zeroFrame);
            var isChanged = identity != 0 && ((entries[i] & PagemapEntry.SoftDirty) != 0 || known is null || known[first + i] != identity);
            if (identity != 0)
            {
                any = true;
                if (now is not null)
                {
                    noted ??= now._tables.GetOrAdd(table, _ => new ulong[Pagemap.TablePages]);
                    noted[first + i] = identity;
                }
            }

            if (isChanged && run < 0)
            {
                run = i;
            }
            else if (!isChanged && run >= 0)
            {
                changed.Add(Pages(start, run, i));
                run = -1;
            }
        }

        if (run >= 0)
        {
            changed.Add(Pages(start, run, entries.Length));
        }

        return any;
    }

    /// <summary>Adds the pages that are not the ones that are known.</summary>
    /// <param name="start">Address of the first entry.</param>
    /// <param name="entries">As the kernel gives them.</param>
    /// <param name="zeroFrame">As for <see cref="PagemapEntry.Identify"/>.</param>
    /// <param name="others">Gets the pages.</param>
    internal void FindOthers(ulong start, ReadOnlySpan<ulong> entries, ulong zeroFrame, PageSet others)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            var address = start + ((ulong)i * MemoryPage.Bytes);
            var known = Of(address);
            if (known != 0 && known != PagemapEntry.Identify(entries[i], MappingKind.Anonymous, zeroFrame) && known != PagemapEntry.Identify(entries[i], MappingKind.PrivateFile, zeroFrame))
            {
                others.Add(new AddressRange(address, address + MemoryPage.Bytes));
            }
        }
    }

    /// <summary>0: there was none.</summary>
    internal ulong Of(ulong address) =>
        _tables.TryGetValue(address & ~(Pagemap.TableBytes - 1), out var table) ? table[address % Pagemap.TableBytes / MemoryPage.Bytes] : 0;

    private static AddressRange Pages(ulong start, int first, int end) => new(start + ((ulong)first * MemoryPage.Bytes), start + ((ulong)end * MemoryPage.Bytes));
}
