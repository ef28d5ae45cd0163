using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

public sealed class PageSetTests
{
    [Fact]
    public void MergesWhatTouchesAndCountsPagesOnce()
    {
        var set = PageSet.Of(Pages(5, 7), Pages(1, 2), Pages(7, 9), Pages(6, 8), Pages(2, 3));

        set.Ranges.ToArray().ShouldBe([Pages(1, 3), Pages(5, 9)]);
        set.PageCount.ShouldBe(6);
        set.Bytes.ShouldBe(6 * 4096);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AgreesWithASetOfSinglePages(int seed)
    {
        var random = new Random(seed);
        for (var run = 0; run < 200; run++)
        {
            var (left, leftPages) = Make(random);
            var (right, rightPages) = Make(random);

            ShouldBe(left, leftPages);
            ShouldBe(left.Intersect(right), leftPages.Intersect(rightPages));
            for (ulong page = 0; page < 130; page++)
            {
                left.Contains((page * 4096) + 5).ShouldBe(leftPages.Contains(page));
                left.Overlaps(Pages(page, page + 3)).ShouldBe(leftPages.Overlaps([page, page + 1, page + 2]));
            }

            var rest = PageSet.Of(left.Ranges);
            rest.ExceptWith(right);
            ShouldBe(rest, leftPages.Except(rightPages));
            left.UnionWith(right);
            ShouldBe(left, leftPages.Union(rightPages));
        }
    }

    [Fact]
    public void HoldsEverySecondPageOfFourGibibytes()
    {
        var set = new PageSet();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong page = 0; page < 1 << 20; page += 2)
        {
            set.Add(Pages(page, page + 1));
        }

        set.PageCount.ShouldBe(1 << 19);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(40L << 20);
        set.Intersect(PageSet.Of(Pages(1000, 2000))).PageCount.ShouldBe(500);
    }

    [Fact]
    public void RefusesWhatIsNoWholePage()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => new AddressRange(1, 4096));
        Should.Throw<ArgumentOutOfRangeException>(() => new AddressRange(4096, 4096));
    }

    private static AddressRange Pages(ulong first, ulong end) => new(first * 4096, end * 4096);

    private static (PageSet Set, HashSet<ulong> Pages) Make(Random random)
    {
        var (set, pages) = (new PageSet(), new HashSet<ulong>());
        for (var i = random.Next(12); i >= 0; i--)
        {
            var first = (ulong)random.Next(120);
            var count = (ulong)random.Next(1, 9);
            set.Add(Pages(first, first + count));
            for (var page = first; page < first + count; page++)
            {
                pages.Add(page);
            }
        }

        return (set, pages);
    }

    private static void ShouldBe(PageSet set, IEnumerable<ulong> pages)
    {
        var expected = pages.Order().ToArray();
        set.PageCount.ShouldBe(expected.Length);
        Enumerable.Range(0, 200).Select(i => (ulong)i).Where(page => set.Contains(page * 4096)).ShouldBe(expected);
        for (var i = 1; i < set.Ranges.Length; i++)
        {
            set.Ranges[i].Start.ShouldBeGreaterThan(set.Ranges[i - 1].End, "ranges that touch are one");
        }
    }
}
