using ContainerMigrate.Images;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Images;

/// <summary>
/// Pagemaps that CRIU wrote of a program with twelve pages in a private mapping of 64 and four in a shared one of 16, as a whole dump and
/// as one that leaves lazy pages out.
/// </summary>
public sealed class RecordedImagesTests
{
    // Relative to the mapping's first page.
    private static readonly (ulong Page, ulong Count)[] PrivateRuns = [(0, 3), (5, 2), (9, 1), (20, 4), (40, 1), (63, 1)];

    public static TheoryData<string> All => [.. Directory.GetFiles(Root, "*.img", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Root, path)).Order()];

    private static string Root => Path.Combine(AppContext.BaseDirectory, "Images", "Recorded");

    [Theory]
    [MemberData(nameof(All))]
    public void BecomeTheSameBytesAgain(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Root, name));
        using var written = new MemoryStream();
        PagemapWriter.Write(PagemapReader.Read(new MemoryStream(bytes)), written);
        written.ToArray().ShouldBe(bytes);
    }

    [Theory]
    [InlineData("criu-4.1.1", PagemapLayout.Compatible)]
    [InlineData("criu-4.2.1", PagemapLayout.Wide)]
    public void ALazyDumpLeavesOutPrivateAnonymousPagesAndNothingElse(string version, PagemapLayout layout)
    {
        var lazy = Process(version + "-lazy");
        var whole = Process(version + "-whole");

        lazy.Layout.ShouldBe(layout);
        lazy.Entries.Select(e => e.Range).ShouldBe(whole.Entries.Select(e => e.Range));
        whole.Entries.ShouldAllBe(e => e.IsPresent);
        lazy.Entries.ShouldAllBe(e => e.IsLeftOut == e.IsLazy && e.IsPresent != e.IsLazy);
        var leftOut = lazy.Entries.Where(e => e.IsLeftOut).Select(e => e.Range).ToList();
        PrivateRuns.ShouldBeSubsetOf(leftOut.SelectMany(first => leftOut.Select(r => ((r.Address - first.Address) >> MemoryPage.Shift, r.PageCount))));

        var shared = Inventory(version + "-lazy").Single(f => f.IsSharedMemory);
        PagemapReader.ReadFile(shared.Path).Entries.ShouldBe([Present(0, 1), Present(3, 3)]);
    }

    [Fact]
    public void TheInventoryKnowsProcessesAndSharedMemoryApart()
    {
        var files = Inventory("criu-4.2.1-whole");
        files.Count.ShouldBe(2);
        files[0].IsSharedMemory.ShouldBeFalse();
        files[1].IsSharedMemory.ShouldBeTrue();
        files[0].Path.ShouldBe(PagemapInventory.PathOf(Path.Combine(Root, "criu-4.2.1-whole"), (int)files[0].Id));
    }

    private static PagemapEntry Present(ulong page, ulong count) => new(new PageRange(page << MemoryPage.Shift, count), PagemapMarks.Present);

    private static IReadOnlyList<PagemapFile> Inventory(string directory) => PagemapInventory.Read(Path.Combine(Root, directory));

    private static PagemapImage Process(string directory) => PagemapReader.ReadFile(Inventory(directory).Single(f => !f.IsSharedMemory).Path);
}
