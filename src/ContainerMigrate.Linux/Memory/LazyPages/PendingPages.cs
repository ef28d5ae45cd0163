using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>Which of a process's pages have not been loaded yet, by the addresses that they had when they were dumped.</summary>
internal sealed class PendingPages
{
    private readonly SealedIndex _image;
    private readonly PageBits[] _bits;

    internal PendingPages(SealedIndex image)
    {
        _image = image;
        _bits = [.. image.Slabs.Select(slab => slab.Data)];
        Count = image.DataPages;
    }

    private PendingPages(PendingPages parent) => (_image, _bits, Count) = (parent._image, (PageBits[])parent._bits.Clone(), parent.Count);

    internal long Count { get; private set; }

    internal int Slabs => _bits.Length;

    internal PendingPages Clone() => new(this);

    internal PageSlab SlabAt(int index) => _image.Slabs[index];

    internal bool IsLoaded(int index) => _bits[index].IsEmpty;

    /// <summary>The first row of pending pages in a slab, at or after a page, that can be loaded.</summary>
    /// <param name="absent">Pages that cannot.</param>
    internal bool TryFindRun(int index, int from, in PageBits absent, out int first, out int count) => _bits[index].Without(absent).TryFindRun(from, out first, out count);

    /// <summary>The slab of a page that is pending; -1 for any other page.</summary>
    internal int Find(ulong imageAddress) =>
        _image.IndexOf(PageSlab.Align(imageAddress)) is var index && index >= 0 && _bits[index].Contains(PageSlab.PageOf(imageAddress)) ? index : -1;

    internal void Clear(int index, int first, int count) => Set(index, _bits[index].Without(PageBits.Of(first, count)));

    /// <summary>Forgets a whole range.</summary>
    internal void Clear(PageRange image)
    {
        var i = _image.IndexOf(PageSlab.Align(image.Address));
        for (i = i < 0 ? ~i : i; i < _bits.Length && SlabAt(i).Address < image.End; i++)
        {
            Set(i, _bits[i].Without(PageIndex.PagesIn(SlabAt(i).Address, image)));
        }
    }

    /// <summary>Forgets the slab that begins at an address.</summary>
    internal void ClearSlab(ulong imageAddress) => Clear(new PageRange(imageAddress, PageSlab.Pages));

    private void Set(int index, in PageBits bits)
    {
        Count += bits.Count - _bits[index].Count;
        _bits[index] = bits;
    }
}
