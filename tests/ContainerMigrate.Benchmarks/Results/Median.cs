namespace ContainerMigrate.Benchmarks.Results;

/// <summary>Which run speaks for its row and tool: the one whose gap is in the middle, so that all figures shown belong together.</summary>
internal static class Median
{
    /// <summary>Marks one run in each group that has any that is ok. Of two in the middle it is the one with the longer gap.</summary>
    public static void Mark(List<BenchmarkRun> runs)
    {
        foreach (var group in Groups(runs).ToList())
        {
            var ok = group.Where(r => r is { Ok: true, GapMs: not null }).OrderBy(r => r.GapMs).ToList();
            if (ok.Count > 0)
            {
                var middle = ok[ok.Count / 2];
                runs[runs.IndexOf(middle)] = middle with { Median = true };
            }
        }
    }

    /// <summary>The runs of each row and tool, in the order in which they first appear.</summary>
    public static IEnumerable<IGrouping<(string Tool, string Runtime, int MemoryMib, int DirtyMibS), BenchmarkRun>> Groups(IEnumerable<BenchmarkRun> runs) =>
        runs.GroupBy(r => (r.Tool, r.Runtime, r.MemoryMib, r.DirtyMibS));
}
