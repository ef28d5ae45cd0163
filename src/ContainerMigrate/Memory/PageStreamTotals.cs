using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>What a page stream carried.</summary>
/// <param name="DataPages">Pages with content.</param>
/// <param name="ZeroPages">Pages that hold zeros.</param>
/// <param name="DroppedPages">Pages that are not there any more.</param>
/// <param name="MissingPages">Pages that have to be asked for.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PageStreamTotals(ulong DataPages, ulong ZeroPages, ulong DroppedPages, ulong MissingPages = 0)
{
    internal PageStreamTotals With(PageRun run) => run.Kind switch
    {
        PageRunKind.Data => this with { DataPages = DataPages + run.Range.PageCount },
        PageRunKind.Zero => this with { ZeroPages = ZeroPages + run.Range.PageCount },
        PageRunKind.Missing => this with { MissingPages = MissingPages + run.Range.PageCount },
        _ => this with { DroppedPages = DroppedPages + run.Range.PageCount },
    };
}
