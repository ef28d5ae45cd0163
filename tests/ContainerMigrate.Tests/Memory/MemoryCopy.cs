using ContainerMigrate.Memory;
using Shouldly;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A container's memory as a destination has it: made of nothing but scans and reads.</summary>
internal sealed class MemoryCopy
{
    private const int BatchBytes = 1 << 20;

    private readonly Dictionary<int, Dictionary<ulong, byte[]>> _processes = [];
    private readonly Dictionary<ulong, Dictionary<ulong, byte[]>> _shared = [];
    private readonly byte[] _buffer = new byte[BatchBytes];

    internal void Apply(MemoryScan scan, IProcessMemoryReader reader)
    {
        foreach (var ended in scan.Ended)
        {
            _processes.Remove(ended.HostId);
        }

        foreach (var process in scan.Processes)
        {
            if (process.IsNew || !_processes.TryGetValue(process.Process.HostId, out var pages))
            {
                process.IsNew.ShouldBeTrue();
                pages = _processes[process.Process.HostId] = [];
            }

            process.Written.Intersect(process.WrittenOfFiles).IsEmpty.ShouldBeTrue();
            Read(process.Written, pages, (ranges, missing) => reader.Read(process.Process.HostId, ranges, _buffer, missing));
            Read(process.WrittenOfFiles, pages, (ranges, missing) => reader.Read(process.Process.HostId, ranges, _buffer, missing));
        }

        foreach (var shared in scan.Shared)
        {
            if (!_shared.TryGetValue(shared.Id.Inode, out var pages))
            {
                pages = _shared[shared.Id.Inode] = [];
            }

            Read(shared.Written, pages, (ranges, missing) => reader.Read(shared.Id, ranges, _buffer, missing));
        }
    }

    /// <summary>Compares byte by byte; the processes stand still.</summary>
    /// <returns>Pages compared.</returns>
    internal long ShouldEqualMemoryOf(IEnumerable<int> processes)
    {
        long compared = 0;
        foreach (var id in processes)
        {
            if (!KernelTruth.HasMemory(id))
            {
                continue; // killed before the freeze, which does not keep it from ending
            }

            var pages = _processes.GetValueOrDefault(id) ?? [];
            foreach (var page in KernelTruth.PagesOf(id))
            {
                var copy = page.SharedInode is { } inode ? _shared.GetValueOrDefault(inode)?.GetValueOrDefault(page.Offset) : pages.GetValueOrDefault(page.Address);
                if (copy is null && page.SharedInode is not null && !page.Content.AsSpan().ContainsAnyExcept((byte)0))
                {
                    continue; // a hole of the object, which page tables mark as protected
                }

                copy.ShouldNotBeNull($"page {page.Address:x} of process {id} was never reported ({page})");
                copy.AsSpan().SequenceEqual(page.Content).ShouldBeTrue($"page {page.Address:x} of process {id} has other content ({page}): {copy[0]} instead of {page.Content[0]}");
                compared++;
            }
        }

        return compared;
    }

    internal byte[]? Page(int process, ulong address) => _processes.GetValueOrDefault(process)?.GetValueOrDefault(address);

    private delegate int Reading(ReadOnlySpan<AddressRange> ranges, PageSet unreadable);

    private void Read(PageSet set, Dictionary<ulong, byte[]> pages, Reading read)
    {
        var batch = new List<AddressRange>();
        var room = BatchBytes;
        foreach (var range in set.Ranges)
        {
            for (var start = range.Start; start < range.End;)
            {
                var end = Math.Min(range.End, start + (ulong)room);
                batch.Add(new AddressRange(start, end));
                room -= (int)(end - start);
                start = end;
                if (room == 0)
                {
                    Flush();
                }
            }
        }

        Flush();

        void Flush()
        {
            var unreadable = new PageSet();
            read(batch.ToArray(), unreadable).ShouldBe(BatchBytes - room);
            var position = 0;
            foreach (var range in batch)
            {
                for (var address = range.Start; address < range.End; address += MemoryPage.Bytes, position += MemoryPage.Bytes)
                {
                    if (!unreadable.Contains(address))
                    {
                        pages[address] = _buffer.AsSpan(position, MemoryPage.Bytes).ToArray();
                    }
                }
            }

            batch.Clear();
            room = BatchBytes;
        }
    }
}
