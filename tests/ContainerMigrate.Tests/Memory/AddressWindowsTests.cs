using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>Pages are found where the process has moved them, and nowhere else.</summary>
public sealed class AddressWindowsTests
{
    private readonly AddressWindows _windows = new();

    [Fact]
    public void AtFirstEverythingIsWhereItWas()
    {
        _windows.ToImage(0x1000).ShouldBe(0x1000UL);
        _windows.FromImage(Pages(5, 10)).ShouldBe(Pages(5, 10));
        _windows.ToImage(Pages(5, 10)).ShouldBe([Pages(5, 10)]);
    }

    [Fact]
    public void WhatWasMovedIsAtItsNewPlaceOnly()
    {
        _windows.Move(Pages(10, 5), Address(100));

        _windows.ToImage(Address(9)).ShouldBe(Address(9));
        _windows.ToImage(Address(10)).ShouldBeNull();
        _windows.ToImage(Address(14)).ShouldBeNull();
        _windows.ToImage(Address(15)).ShouldBe(Address(15));
        _windows.ToImage(Address(102)).ShouldBe(Address(12));
        _windows.FromImage(Pages(12, 10)).ShouldBe(Pages(102, 3));
        _windows.FromImage(Pages(8, 10)).ShouldBe(Pages(8, 2));
        _windows.ToImage(Pages(98, 10)).ShouldBe([Pages(98, 2), Pages(10, 5), Pages(105, 3)]);
    }

    [Fact]
    public void WhatWasAtTheNewPlaceIsNowhere()
    {
        _windows.Move(Pages(10, 5), Address(100));
        _windows.FromImage(Pages(103, 1)).ShouldBeNull();
    }

    [Fact]
    public void MovedAgainInPartAndBack()
    {
        _windows.Move(Pages(10, 5), Address(100));
        _windows.Move(Pages(102, 2), Address(200));
        _windows.Move(Pages(200, 1), Address(12));

        _windows.ToImage(Address(12)).ShouldBe(Address(12));
        _windows.ToImage(Address(201)).ShouldBe(Address(13));
        _windows.ToImage(Address(102)).ShouldBeNull();
        _windows.ToImage(Address(104)).ShouldBe(Address(14));
    }

    [Fact]
    public void AChildsMovesAreItsOwn()
    {
        var child = _windows.Clone();
        child.Move(Pages(10, 5), Address(100));
        _windows.ToImage(Address(10)).ShouldBe(Address(10));
        child.ToImage(Address(10)).ShouldBeNull();
    }

    [Fact]
    public void RandomMovesEndLikeInATableOfPages()
    {
        const int Count = 300;
        var random = new Random(42);
        var table = Enumerable.Range(0, Count).Select(page => (int?)page).ToArray();
        for (var step = 0; step < 500; step++)
        {
            var length = random.Next(1, 30);
            var (from, to) = (random.Next(Count - length), random.Next(Count - length));
            if (Math.Abs(from - to) < length)
            {
                continue; // mremap(2) refuses to move a mapping over itself
            }

            _windows.Move(Pages(from, length), Address(to));
            var moved = table[from..(from + length)];
            Array.Clear(table, from, length);
            moved.CopyTo(table, to);
        }

        for (var page = 0; page < Count; page++)
        {
            _windows.ToImage(Address(page)).ShouldBe(table[page] is { } image ? Address(image) : null);
            var now = Array.IndexOf(table, page);
            _windows.FromImage(Pages(page, 1)).ShouldBe(now < 0 ? null : Pages(now, 1));
        }
    }

    private static ulong Address(int page) => 0x7000_0000_0000 + ((ulong)page << MemoryPage.Shift);

    private static PageRange Pages(int page, int count) => new(Address(page), (ulong)count);
}
