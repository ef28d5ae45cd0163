using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>What a frozen process has in its memory, split by who carries it: a lazy restore, or CRIU's images.</summary>
internal sealed class FrozenProcess
{
    private FrozenProcess(int id, int innerId) => (Id, InnerId) = (id, innerId);

    internal int Id { get; }

    /// <summary>In its own pid namespace, as CRIU's images call it.</summary>
    internal int InnerId { get; }

    /// <summary>Pages that a lazy restore may bring after the process runs: private, anonymous, not locked (vma_entry_can_be_lazy in criu/include/vma.h).</summary>
    internal PageSet Lazy { get; } = new();

    /// <summary>The process's own pages that CRIU has to dump.</summary>
    internal PageSet Kept { get; } = new();

    /// <summary>Pages that fault whoever touches them (MADV_GUARD_INSTALL).</summary>
    internal PageSet Guards { get; } = new();

    /// <summary>Null when it has no memory: a zombie.</summary>
    /// <exception cref="IOException">It cannot be looked at, or has gone.</exception>
    internal static FrozenProcess? Read(int id)
    {
        var status = File.ReadAllText($"/proc/{id}/status");
        var inner = ProcText.FindField(status, "NSpid")?.Split('\t')[^1] ?? throw new IOException($"process {id} has no number of its own");
        var process = new FrozenProcess(id, int.Parse(inner, CultureInfo.InvariantCulture));
        List<Mapping> mappings = [];
        using var maps = File.OpenHandle($"/proc/{id}/maps");
        MappingReader.Read(maps, mappings);
        if (mappings.Count == 0)
        {
            return null;
        }

        using var pagemap = File.OpenHandle($"/proc/{id}/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var locked = status.Contains("VmLck:\t       0 kB", StringComparison.Ordinal) ? new PageSet() : LockedMemory.Read($"/proc/{id}/smaps");
        process.Find(mappings, pagemap, locked);
        process.Keep(process.FindStackTops());
        process.Keep(process.FindArguments());
        return process;
    }

    private void Find(List<Mapping> mappings, Microsoft.Win32.SafeHandles.SafeFileHandle pagemap, PageSet locked)
    {
        foreach (var mapping in mappings)
        {
            switch (mapping.Kind)
            {
                // Private memory of /dev/zero is CRIU's to dump, as is that of a file.
                case MappingKind.Anonymous when mapping.Inode == 0 && !locked.Overlaps(mapping.Range):
                    PageScan.FindExisting(pagemap, mapping.Range, PageScan.Zero, Lazy, Guards);
                    break;
                case MappingKind.Anonymous or MappingKind.PrivateFile:
                    PageScan.FindExisting(pagemap, mapping.Range, PageScan.Zero | PageScan.OfFile, Kept, Guards);
                    break;
            }
        }
    }

    private void Keep(PageSet pages)
    {
        Kept.UnionWith(Lazy.Intersect(pages));
        Lazy.ExceptWith(pages);
    }

    // As CRIU has it (is_stack in criu/mem.c): where a thread goes on, it need not wait for the page that it touches first.
    private PageSet FindStackTops()
    {
        var tops = new PageSet();
        foreach (var thread in Directory.EnumerateDirectories($"/proc/{Id}/task"))
        {
            // "NUMBER ARGUMENTS STACK-POINTER INSTRUCTION-POINTER", or "running"
            var fields = ProcText.ReadOrEmpty(Path.Combine(thread, "syscall")).Split(' ');
            if (fields.Length > 2 && ulong.TryParse(fields[^2].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var pointer))
            {
                tops.Add(PagesOf(pointer, pointer + 1));
            }
        }

        return tops;
    }

    // Who reads /proc/PID/cmdline or environ is not kept waiting for a page that is not there yet, but finds nothing (access_remote_vm in mm/memory.c).
    private PageSet FindArguments()
    {
        const int ArgumentsStart = 45; // arg_start, arg_end, env_start, env_end
        var found = new PageSet();
        var fields = ProcText.ReadStatFields(Id);
        for (var i = ArgumentsStart; i < ArgumentsStart + 4 && i + 1 < fields.Length; i += 2)
        {
            if (ulong.TryParse(fields[i], CultureInfo.InvariantCulture, out var start) && ulong.TryParse(fields[i + 1], CultureInfo.InvariantCulture, out var end) && start < end)
            {
                found.Add(PagesOf(start, end));
            }
        }

        return found;
    }

    private static AddressRange PagesOf(ulong start, ulong end) => new(start & ~(MemoryPage.Bytes - 1UL), (end + MemoryPage.Bytes - 1) & ~(MemoryPage.Bytes - 1UL));
}
