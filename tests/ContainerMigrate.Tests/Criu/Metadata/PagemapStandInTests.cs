using ContainerMigrate.Linux.Criu.Metadata;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu.Metadata;

public sealed class PagemapStandInTests
{
    private const ulong Somewhere = 0x1234_5678_0000;

    [Fact]
    public async Task HasPagesAndGuardsWhereItIsToldTo()
    {
        var pages = PageSet.Of(Pages(0, 3), Pages(100, 1), Pages(5000, 300));
        var guards = PageScan.KnowsGuards ? PageSet.Of(Pages(200, 2)) : new PageSet();
        await using var standIn = await PagemapStandIn.StartAsync();
        await standIn.FurnishAsync(pages, guards);

        var (found, foundGuards) = (new PageSet(), new PageSet());
        using var pagemap = File.OpenHandle(standIn.Pagemap, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        PageScan.FindExisting(pagemap, Pages(0, 10_000), PageScan.Zero | PageScan.OfFile, found, foundGuards);
        found.Ranges.ToArray().ShouldBe(pages.Ranges.ToArray());
        foundGuards.Ranges.ToArray().ShouldBe(guards.Ranges.ToArray());
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
}
