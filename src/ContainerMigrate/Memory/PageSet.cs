namespace ContainerMigrate.Memory;

/// <summary>
/// A set of pages: sorted ranges that neither touch nor overlap, 16 bytes each. The worst case of 4 GiB, every second page, takes 8 MiB;
/// adding in ascending order is constant, everything else linear in the number of ranges. Not safe for two threads.
/// </summary>
public sealed class PageSet
{
    private AddressRange[] _ranges;
    private int _count;

    public PageSet() => _ranges = [];

    private PageSet(int capacity) => _ranges = new AddressRange[capacity];

    /// <summary>Ascending, merged. Valid until the set changes.</summary>
    public ReadOnlySpan<AddressRange> Ranges => _ranges.AsSpan(0, _count);

    public long PageCount { get; private set; }

    public long Bytes => PageCount * MemoryPage.Bytes;

    public bool IsEmpty => _count == 0;

    public static PageSet Of(params ReadOnlySpan<AddressRange> ranges)
    {
        var set = new PageSet();
        foreach (var range in ranges)
        {
            set.Add(range);
        }

        return set;
    }

    /// <summary>Adds pages, wherever they are; those that are in already are counted once.</summary>
    public void Add(AddressRange range)
    {
        if (_count == 0 || range.Start > _ranges[_count - 1].End)
        {
            Append(range);
            return;
        }

        // The first that is not wholly before: it is merged, or the place to insert at.
        var first = FindFirstEndingAtOrAfter(range.Start);
        var start = Math.Min(range.Start, _ranges[first].Start);
        var end = range.End;
        var after = first;
        while (after < _count && _ranges[after].Start <= range.End)
        {
            end = Math.Max(end, _ranges[after].End);
            PageCount -= _ranges[after].PageCount;
            after++;
        }

        if (after == first)
        {
            Reserve(_count + 1);
        }

        Array.Copy(_ranges, after, _ranges, first + 1, _count - after);
        _count += first + 1 - after;
        _ranges[first] = new AddressRange(start, end);
        PageCount += _ranges[first].PageCount;
    }

    /// <summary>Adds all of another set.</summary>
    public void UnionWith(PageSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.IsEmpty)
        {
            return;
        }

        var merged = new PageSet(_count + other._count);
        int left = 0, right = 0;
        while (left < _count || right < other._count)
        {
            var takeLeft = right == other._count || (left < _count && _ranges[left].Start <= other._ranges[right].Start);
            merged.Append(takeLeft ? _ranges[left++] : other._ranges[right++]);
        }

        Take(merged);
    }

    /// <summary>Takes away all of another set.</summary>
    public void ExceptWith(PageSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (IsEmpty || other.IsEmpty)
        {
            return;
        }

        var rest = new PageSet(_count);
        var next = 0;
        foreach (var range in Ranges)
        {
            var start = range.Start;
            while (next < other._count && other._ranges[next].End <= start)
            {
                next++;
            }

            // The last one that overlaps may reach into the next range: it is looked at again there.
            for (var i = next; i < other._count && other._ranges[i].Start < range.End; i++)
            {
                rest.AppendIfAny(start, other._ranges[i].Start);
                start = Math.Max(start, other._ranges[i].End);
            }

            rest.AppendIfAny(start, range.End);
        }

        Take(rest);
    }

    /// <summary>The pages that are in both.</summary>
    public PageSet Intersect(PageSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var common = new PageSet();
        int left = 0, right = 0;
        while (left < _count && right < other._count)
        {
            var (a, b) = (_ranges[left], other._ranges[right]);
            common.AppendIfAny(Math.Max(a.Start, b.Start), Math.Min(a.End, b.End));
            if (a.End < b.End)
            {
                left++;
            }
            else
            {
                right++;
            }
        }

        return common;
    }

    public bool Contains(ulong address)
    {
        var index = FindFirstEndingAtOrAfter(address + 1);
        return index < _count && _ranges[index].Contains(address);
    }

    /// <summary>Whether every page of the range is in.</summary>
    public bool ContainsAll(AddressRange range)
    {
        var index = FindFirstEndingAtOrAfter(range.End);
        return index < _count && _ranges[index].Start <= range.Start;
    }

    /// <summary>Whether any page of the range is in.</summary>
    public bool Overlaps(AddressRange range)
    {
        var index = FindFirstEndingAtOrAfter(range.Start + 1);
        return index < _count && _ranges[index].Start < range.End;
    }

    public void Clear()
    {
        _count = 0;
        PageCount = 0;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{PageCount} pages in {_count} ranges";

    private void AppendIfAny(ulong start, ulong end)
    {
        if (start < end)
        {
            Append(new AddressRange(start, end));
        }
    }

    /// <summary>Adds a range that starts at or after the last one's start.</summary>
    private void Append(AddressRange range)
    {
        if (_count > 0 && range.Start <= _ranges[_count - 1].End)
        {
            var last = _ranges[_count - 1];
            var merged = new AddressRange(last.Start, Math.Max(last.End, range.End));
            PageCount += merged.PageCount - last.PageCount;
            _ranges[_count - 1] = merged;
            return;
        }

        Reserve(_count + 1);
        _ranges[_count++] = range;
        PageCount += range.PageCount;
    }

    private int FindFirstEndingAtOrAfter(ulong address)
    {
        int low = 0, high = _count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_ranges[middle].End < address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private void Reserve(int capacity)
    {
        if (capacity > _ranges.Length)
        {
            Array.Resize(ref _ranges, Math.Max(capacity, Math.Max(16, _ranges.Length * 2)));
        }
    }

    private void Take(PageSet other) => (_ranges, _count, PageCount) = (other._ranges, other._count, other.PageCount);
}
