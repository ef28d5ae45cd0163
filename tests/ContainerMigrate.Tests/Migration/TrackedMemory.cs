using ContainerMigrate.Memory;
using Shouldly;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A daemon looks at a container's memory; the container goes on writing between any two looks, as long as it runs.</summary>
internal sealed class TrackedMemory(DaemonLife life, Machine machine) : IMemoryTracking, IProcessMemoryReader
{
    private bool _seen;

    public IProcessMemoryReader Reader => this;

    public bool IsFrozen { get; set; }

    public async Task<MemoryScan> ScanAsync(CancellationToken cancellationToken)
    {
        var written = new PageSet();
        var isNew = !_seen;
        machine.Frozen.ShouldBe(IsFrozen);
        var stops = machine.Tracker == MemoryTrackers.SoftDirty && !IsFrozen && _seen;
        if (stops)
        {
            await life.StepAsync("stop for a scan", () => machine.Frozen = true, cancellationToken);
        }

        try
        {
            await life.StepAsync("scan memory", () =>
            {
                written = machine.Memory.Scan(all: isNew);
                _seen = true;
                GoOn();
            }, cancellationToken);
        }
        finally
        {
            if (stops)
            {
                await life.StepAsync("go on after a scan", () => machine.Frozen = false, CancellationToken.None);
            }
        }

        return new MemoryScan
        {
            Processes = [new ProcessMemory { Process = new ContainerProcessId(4242, RunningMemory.ProcessId), IsNew = isNew, Written = written, WrittenOfFiles = new PageSet(), Stopped = TimeSpan.FromMicroseconds(isNew ? 300 : 0) }],
            Shared = [],
            Ended = [],
            Stopped = TimeSpan.FromMicroseconds(isNew ? 300 : 0),
        };
    }

    public int Read(int hostProcessId, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable)
    {
        machine.Memory.Read(ranges, destination, unreadable);
        GoOn();
        return destination.Length;
    }

    public int Read(SharedMemoryId sharedMemory, ReadOnlySpan<AddressRange> ranges, Span<byte> destination, PageSet unreadable) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void GoOn()
    {
        if (!machine.Frozen)
        {
            machine.Memory.Write(3);
        }
    }
}
