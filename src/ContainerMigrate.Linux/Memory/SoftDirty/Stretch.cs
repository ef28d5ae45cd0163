using System.Runtime.InteropServices;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>Addresses of one mapping that are looked at in one go.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct Stretch(AddressRange Range, MappingKind Kind)
{
    /// <summary>How much at most: a thread's share when several look.</summary>
    internal const ulong MaxBytes = 32 * Pagemap.TableBytes;

    /// <summary>The process's own memory, as far as it is private.</summary>
    internal static List<Stretch> Of(IEnumerable<Mapping> mappings)
    {
        List<Stretch> stretches = [];
        foreach (var mapping in mappings)
        {
            if (mapping.Kind is not (MappingKind.Anonymous or MappingKind.PrivateFile))
            {
                continue;
            }

            for (ulong start = mapping.Range.Start, end; start < mapping.Range.End; start = end)
            {
                end = Math.Min(mapping.Range.End, (start & ~(MaxBytes - 1)) + MaxBytes);
                stretches.Add(new Stretch(new AddressRange(start, end), mapping.Kind));
            }
        }

        return stretches;
    }

    /// <summary>Adds what continues the last one to that, as far as it may grow.</summary>
    internal static void Append(List<Stretch> stretches, Stretch next)
    {
        if (stretches.Count > 0 && stretches[^1] is var last && last.Kind == next.Kind && last.Range.End == next.Range.Start && next.Range.Start % MaxBytes != 0)
        {
            stretches[^1] = last with { Range = new AddressRange(last.Range.Start, next.Range.End) };
            return;
        }

        stretches.Add(next);
    }
}
