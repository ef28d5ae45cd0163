using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Memory;

/// <summary>A process of the container, and the memory that it has at present.</summary>
internal sealed class TrackedProcess : IDisposable
{
    private readonly ProcessDescriptor _process;
    private bool _mayRetry;
    private int? _leftOpen;

    private TrackedProcess(ProcessDescriptor process, ContainerProcessId id)
    {
        _process = process;
        Id = id;
    }

    internal ContainerProcessId Id { get; }

    /// <summary>Null: it shares that of <see cref="Owner"/>, or has none.</summary>
    internal AddressSpace? Space { get; private set; }

    internal TrackedProcess? Owner { get; private set; }

    internal string? NotTracked { get; private set; }

    /// <summary>Its memory has not been reported yet.</summary>
    internal bool IsNew { get; private set; } = true;

    /// <summary>Since the last <see cref="Report"/>.</summary>
    internal TimeSpan Stopped { get; private set; }

    internal bool HasEnded => _process.HasEnded;

    /// <summary>It was not in the last list of the cgroup's processes.</summary>
    internal bool IsMissing { get; set; }

    /// <summary>Null when it has ended.</summary>
    internal static TrackedProcess? Open(int id)
    {
        var process = ProcessDescriptor.Open(id);
        var numbers = ProcText.FindField(ProcText.ReadOrEmpty($"/proc/{id}/status"), "NSpid")?.Split('\t') ?? [];
        if (process is not null && !process.HasEnded && numbers.Length > 0)
        {
            return new TrackedProcess(process, new ContainerProcessId(id, int.Parse(numbers[^1], CultureInfo.InvariantCulture)));
        }

        process?.Dispose();
        return null;
    }

    /// <summary>Finds what it has written; attaches its memory first where that is new.</summary>
    /// <param name="others">Processes that may have the same memory.</param>
    /// <param name="isFrozen">Whether it cannot be asked for anything at this moment.</param>
    internal async Task ScanAsync(IEnumerable<TrackedProcess> others, Func<bool> isFrozen)
    {
        // Twice: it may replace its program in between.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            if (Space is not null && Space.Layout != ProcessLayout.Read(Id.HostId))
            {
                Forget();
            }

            if (Space is null && !OpenSpace(others))
            {
                return;
            }

            if (_leftOpen is not null && !isFrozen())
            {
                await CloseLeftOpenAsync();
            }

            if (!Space!.IsTracked && (NotTracked is null || _mayRetry))
            {
                await AttachAsync(Space, isFrozen());
            }

            if (Space.Scan())
            {
                return;
            }

            Forget();
        }
    }

    internal ProcessMemory Report()
    {
        var (anonymous, ofFiles) = Space?.TakeFound() ?? (new PageSet(), new PageSet());
        var report = new ProcessMemory
        {
            Process = Id,
            IsNew = IsNew,
            Written = anonymous,
            WrittenOfFiles = ofFiles,
            NotTracked = Owner is null ? NotTracked : null,
            SharesMemoryOf = Owner?.Id,
            Stopped = Stopped,
        };
        IsNew = Space is null; // one that shares another's memory gets its own some day
        Stopped = TimeSpan.Zero;
        return report;
    }

    /// <summary>Leaves it as if nothing had been.</summary>
    internal async Task ReleaseAsync()
    {
        await CloseLeftOpenAsync();
        Space?.Release();
    }

    public void Dispose()
    {
        Space?.Dispose();
        Space = null;
        _process.Dispose();
    }

    private void Forget()
    {
        Space?.Dispose();
        Space = null;
        NotTracked = null;
        _leftOpen = null; // closed by exec, as every descriptor of that kind
        IsNew = true;
    }

    private bool OpenSpace(IEnumerable<TrackedProcess> others)
    {
        Owner = others.FirstOrDefault(other => other != this && other.Space is not null && ProcessComparison.ShareMemory(Id.HostId, other.Id.HostId));
        if (Owner is not null)
        {
            return false;
        }

        Space = AddressSpace.Open(Id.HostId);
        NotTracked = Space is null ? "it has no memory: it is ending, or its first thread has" : null;
        return Space is not null;
    }

    private async Task AttachAsync(AddressSpace space, bool isFrozen)
    {
        var outcome = isFrozen ? UserFaultOutcome.Refused("it was frozen when it was seen first", mayPass: true)
            : HasUserFaultDescriptor() ? UserFaultOutcome.Refused("it uses userfaultfd itself")
            : await UserFaultRequest.RunAsync(Id.HostId, _process, space.Memory);
        Stopped += outcome.Stopped;
        _leftOpen = outcome.LeftOpen;
        NotTracked = outcome.Refusal;
        _mayRetry = outcome.MayPass;
        if (outcome.Descriptor is { } descriptor && !space.Track(descriptor))
        {
            NotTracked = "the kernel cannot note its writes (userfaultfd without WP_ASYNC)";
        }
    }

    private async Task CloseLeftOpenAsync()
    {
        if (_leftOpen is { } descriptor && Space is { } space)
        {
            var outcome = await UserFaultRequest.CloseAsync(Id.HostId, _process, space.Memory, descriptor);
            Stopped += outcome.Stopped;
            _leftOpen = outcome.Refusal is null ? outcome.LeftOpen : descriptor;
        }
    }

    private bool HasUserFaultDescriptor()
    {
        try
        {
            return Directory.EnumerateFiles($"/proc/{Id.HostId}/fd").Any(path => new FileInfo(path).LinkTarget == "anon_inode:[userfaultfd]");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false; // it is ending, or closing it just now
        }
    }
}
