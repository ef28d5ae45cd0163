using ContainerMigrate.Linux.Criu.Metadata;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu.Metadata;

public sealed class PagemapStandInTests
{
    private const ulong Somewhere = 0x1234_5678_0000;

    private static readonly AddressRange Everything = new(0, 0x7FFF_FFFF_F000);

    [Fact]
    public async Task HasPagesAndGuardsWhereItIsToldTo()
    {
        var pages = PageSet.Of(Pages(0, 3), Pages(100, 1), Pages(5000, 300));
        var guards = PageScan.KnowsGuards ? PageSet.Of(Pages(200, 2)) : new PageSet();
        await using var standIn = await PagemapStandIn.StartAsync();
        await standIn.FurnishAsync(pages, guards);

        var found = Find(standIn, 0, PageScan.Foreign, PageScan.Present | PageScan.Swapped);
        var missing = PageSet.Of(pages.Ranges);
        missing.ExceptWith(found);
        missing.IsEmpty.ShouldBeTrue(missing.ToString());
        found.Bytes.ShouldBeLessThan(pages.Bytes + (1 << 20), "what it has of its own is little");
        found.Overlaps(Pages(3, 97)).ShouldBeFalse();
        if (PageScan.KnowsGuards)
        {
            Find(standIn, PageScan.Guard, 0, 0).Ranges.ToArray().ShouldBe([Pages(200, 2)]);
        }
    }

    [Fact]
    public async Task IsGoneAfterwards()
    {
        var standIn = await PagemapStandIn.StartAsync();
        var process = Path.GetDirectoryName(standIn.Pagemap)!;
        Directory.Exists(process).ShouldBeTrue();

        await standIn.DisposeAsync();

        Directory.Exists(process).ShouldBeFalse();
    }

    [Fact]
    public async Task SaysWhyThereIsNone()
    {
        var beyond = PageSet.Of(new AddressRange(0x8000_0000_0000, 0x8000_0000_1000));

        await using var standIn = await PagemapStandIn.StartAsync();

        var e = await Should.ThrowAsync<IOException>(() => standIn.FurnishAsync(beyond, new PageSet()));

        e.Message.ShouldStartWith("mmap in process");
    }

    private static AddressRange Pages(ulong first, ulong count) => new(Somewhere + (first * MemoryPage.Bytes), Somewhere + ((first + count) * MemoryPage.Bytes));

    private static PageSet Find(PagemapStandIn standIn, ulong all, ulong none, ulong any)
    {
        var found = new PageSet();
        using var pagemap = File.OpenHandle(standIn.Pagemap, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        PageScan.Find(pagemap, Everything, all, none, any, protect: false, found);
        return found;
    }
}
