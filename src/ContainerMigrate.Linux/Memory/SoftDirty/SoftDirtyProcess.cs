using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory.SoftDirty;

/// <summary>A process of the container, and the memory that it has at present.</summary>
internal sealed class SoftDirtyProcess : IDisposable
{
    private readonly ProcessDescriptor _process;
    private string? _notTracked;
    private bool _isNew = true; // its memory has not been reported yet

    private SoftDirtyProcess(ProcessDescriptor process, ContainerProcessId id)
    {
        _process = process;
        Id = id;
    }

    internal ContainerProcessId Id { get; }

    /// <summary>Null: it shares that of <see cref="Owner"/>, or has none.</summary>
    internal SoftDirtySpace? Space { get; private set; }

    internal SoftDirtyProcess? Owner { get; private set; }

    internal bool HasEnded => _process.HasEnded;

    /// <summary>It was not in the last list of the cgroup's processes.</summary>
    internal bool IsMissing { get; set; }

    /// <summary>It has to stand still before more is known than <see cref="Look"/> has found.</summary>
    internal bool HasToSettle { get; private set; }

    /// <summary>Null when it has ended.</summary>
    internal static SoftDirtyProcess? Open(int id)
    {
        var process = ProcessDescriptor.Open(id);
        var numbers = ProcText.FindField(ProcText.ReadOrEmpty($"/proc/{id}/status"), "NSpid")?.Split('\t') ?? [];
        if (process is not null && !process.HasEnded && numbers.Length > 0)
        {
            return new SoftDirtyProcess(process, new ContainerProcessId(id, int.Parse(numbers[^1], CultureInfo.InvariantCulture)));
        }

        process?.Dispose();
        return null;
    }

    /// <summary>Finds what was written so far, while it runs.</summary>
    /// <param name="others">Processes that may have the same memory.</param>
    internal void Look(IEnumerable<SoftDirtyProcess> others) => Scan(others, space =>
    {
        HasToSettle = space.HasBegun;
        return space.HasBegun ? space.Look() : space.Begin();
    });

    /// <summary>The rest, while it stands still.</summary>
    internal void Settle()
    {
        HasToSettle = false;
        if (Space?.Settle() is false)
        {
            Forget();
        }
    }

    /// <summary>Finds what was written, while it stands still.</summary>
    /// <param name="others">As for <see cref="Look"/>.</param>
    /// <param name="clear">As for <see cref="SoftDirtySpace.LookAndSettle"/>.</param>
    internal void LookFrozen(IEnumerable<SoftDirtyProcess> others, bool clear) =>
        Scan(others, space => space.HasBegun ? space.LookAndSettle(clear) : space.Begin());

    internal ProcessMemory Report()
    {
        var (anonymous, ofFiles) = Space?.TakeFound() ?? (new PageSet(), new PageSet());
        var report = new ProcessMemory
        {
            Process = Id,
            IsNew = _isNew,
            Written = anonymous,
            WrittenOfFiles = ofFiles,
            NotTracked = Owner is null ? _notTracked : null,
            SharesMemoryOf = Owner?.Id,
        };
        _isNew = Space is null; // one that shares another's memory gets its own some day
        return report;
    }

    public void Dispose()
    {
        Space?.Dispose();
        Space = null;
        _process.Dispose();
    }

    private void Scan(IEnumerable<SoftDirtyProcess> others, Func<SoftDirtySpace, bool> scan)
    {
        // Twice: it may replace its program in between.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            HasToSettle = false;
            if (Space is not null && Space.Layout != ProcessLayout.Read(Id.HostId))
            {
                Forget();
            }

            if (Space is null && !OpenSpace(others))
            {
                return;
            }

            if (scan(Space!))
            {
                return;
            }

            Forget();
        }
    }

    private bool OpenSpace(IEnumerable<SoftDirtyProcess> others)
    {
        Owner = others.FirstOrDefault(other => other != this && other.Space is not null && ProcessComparison.ShareMemory(Id.HostId, other.Id.HostId));
        if (Owner is not null)
        {
            return false;
        }

        Space = SoftDirtySpace.Open(Id.HostId);
        _notTracked = Space is null ? "it has no memory: it is ending, or its first thread has" : null;
        return Space is not null;
    }

    /// <summary>All of its memory counts as new.</summary>
    internal void Forget()
    {
        Space?.Dispose();
        Space = null;
        HasToSettle = false;
        _isNew = true;
    }
}
