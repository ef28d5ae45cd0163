using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Memory.SoftDirty;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory.SoftDirty;

/// <summary>What follows from entries of a pagemap, without a kernel that gives them.</summary>
public sealed class PageIdentitiesTests
{
    private const ulong Start = 0x7F00_0020_0000;
    private const ulong ZeroFrame = 7;
    private const ulong Dirty = PagemapEntry.SoftDirty;

    private PageIdentities _known = new();

    [Fact]
    public void EverythingIsNewAtFirst()
    {
        Scan([0, Frame(100), Frame(101) | Dirty, 0, Swap(5)]).ShouldBe([1, 2, 4]);
        Scan([0, Frame(100), Frame(101), 0, Swap(5)]).ShouldBeEmpty();
    }

    [Fact]
    public void AWrittenPageIsFoundOnce()
    {
        Scan([Frame(100), Frame(101)]);

        Scan([Frame(100), Frame(101) | Dirty]).ShouldBe([1]);
        Scan([Frame(100), Frame(101)]).ShouldBeEmpty();
    }

    [Fact]
    public void ABitWithoutAPageIsAPlaceInANewMapping()
    {
        Scan([Dirty, Dirty, Dirty]).ShouldBeEmpty();
        Scan([Dirty, Frame(100) | Dirty, 0]).ShouldBe([1]);
        Scan([0, Frame(100), 0]).ShouldBeEmpty();
    }

    [Fact]
    public void AnotherPageInItsPlaceIsAChangeWithoutABit()
    {
        Scan([Frame(100), Frame(101), Swap(5)]);

        Scan([Frame(101), Frame(100), Swap(5)]).ShouldBe([0, 1], "moved by mremap(2)");
        Scan([Frame(101), Frame(100), Frame(200)]).ShouldBe([2], "back from the swap, maybe");
        Scan([Swap(101), Frame(100), Frame(200)]).ShouldBe([0]);
    }

    [Fact]
    public void APageThatWentAndCameBackIsFoundWithoutABit()
    {
        Scan([Frame(100), Frame(101)]);
        Scan([Frame(100), 0]).ShouldBeEmpty();

        Scan([Frame(100), Frame(101)]).ShouldBe([1]);
    }

    [Fact]
    public void WhatWasNotLookedAtIsNotKnown()
    {
        Scan([Frame(100), Frame(101)]);
        Scan([Frame(100)]);

        Scan([Frame(100), Frame(101)]).ShouldBe([1]);
    }

    [Fact]
    public void TheKernelsPageOfZerosIsNobodysContent()
    {
        Scan([Frame(ZeroFrame), Frame(ZeroFrame) | Dirty]).ShouldBeEmpty();
        Scan([Frame(ZeroFrame), Frame(100) | Dirty]).ShouldBe([1]);
        Scan([Frame(100), Swap(ZeroFrame)]).ShouldBe([0, 1], "a place in the swap may have any number");
    }

    [Fact]
    public void OfAFileOnlyThePagesCountThatAreNotTheFilesAnyMore()
    {
        ulong[] entries = [Frame(100) | PagemapEntry.OfFile | Dirty, Frame(101) | Dirty];

        Scan(entries, MappingKind.PrivateFile).ShouldBe([1]);
        Scan([Frame(100) | PagemapEntry.OfFile, Frame(101)], MappingKind.PrivateFile).ShouldBeEmpty();
    }

    [Fact]
    public void APageThatWasTakenForAFilesIsFoundAgainInAnonymousMemory()
    {
        Scan([Frame(100)], MappingKind.PrivateFile).ShouldBe([0]);

        Scan([Frame(100)]).ShouldBe([0], "what is reported of files is not sent");
        Scan([Frame(100)]).ShouldBeEmpty();
    }

    [Fact]
    public void OnlyTheNotedScanCounts()
    {
        Scan([Frame(100)]);
        Look([Frame(100) | Dirty, Frame(101)]).ShouldBe([0, 1]);

        Look([Frame(100), Frame(101)]).ShouldBe([1]);
    }

    [Fact]
    public void TellsPagesThatAreNotThoseWhichAreKnown()
    {
        Scan([Frame(100), Frame(101), 0, Swap(5)]);
        var others = new PageSet();

        _known.FindOthers(Start, [Frame(100) | Dirty, Frame(300), Frame(301), 0], ZeroFrame, others);

        Offsets(others).ShouldBe([1, 3], "where there was none, the next scan finds one anyway");
    }

    [Fact]
    public void KeepsPlacesApartInEveryPageTable()
    {
        var now = new PageIdentities();
        var changed = new PageSet();
        var last = Start + Pagemap.TableBytes - MemoryPage.Bytes;
        PageIdentities.Compare(last, [Frame(100)], MappingKind.Anonymous, ZeroFrame, _known, now, changed).ShouldBeTrue();
        PageIdentities.Compare(last + MemoryPage.Bytes, [Frame(101)], MappingKind.Anonymous, ZeroFrame, _known, now, changed).ShouldBeTrue();

        changed.Ranges.ToArray().ShouldBe([new AddressRange(last, last + (2 * MemoryPage.Bytes))]);
        (now.Of(last), now.Of(last + MemoryPage.Bytes), now.Of(Start)).ShouldBe((Frame(100), Frame(101), 0UL));
    }

    private static ulong Frame(ulong number) => PagemapEntry.Present | number;

    private static ulong Swap(ulong place) => PagemapEntry.Swapped | place;

    private static int[] Offsets(PageSet pages) => [.. Enumerable.Range(0, Pagemap.TablePages).Where(i => pages.Contains(Start + ((ulong)i * MemoryPage.Bytes)))];

    private int[] Scan(ulong[] entries, MappingKind kind = MappingKind.Anonymous)
    {
        var now = new PageIdentities();
        var changed = new PageSet();
        PageIdentities.Compare(Start, entries, kind, ZeroFrame, _known, now, changed).ShouldBe(entries.Any(e => PagemapEntry.Identify(e, kind, ZeroFrame) != 0));
        _known = now;
        return Offsets(changed);
    }

    private int[] Look(ulong[] entries)
    {
        var changed = new PageSet();
        PageIdentities.Compare(Start, entries, MappingKind.Anonymous, ZeroFrame, _known, null, changed);
        return Offsets(changed);
    }
}
