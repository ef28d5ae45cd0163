using System.Collections.Concurrent;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>
/// A stopped process of ours whose <c>/proc/PID/pagemap</c> is shown to CRIU in place of another's: what has no page here is left out of the dump.
/// Pages of its own that happen to lie where the other has some do no harm: CRIU takes their content from the other. Ends with the daemon, also one that is killed.
/// </summary>
internal sealed class PagemapStandIn : IAsyncDisposable
{
    private const ulong MapMemory = 9; // __NR_mmap, x86-64
    private const ulong AdviseMemory = 28; // __NR_madvise
    private const ulong ReadWrite = 1 | 2; // PROT_READ | PROT_WRITE
    private const ulong PrivateAnonymousHere = 0x2 | 0x20 | 0x10 | 0x4000; // MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE
    private const ulong Populate = 0x8000; // MAP_POPULATE
    private const ulong InstallGuard = 102; // MADV_GUARD_INSTALL
    private const int Kill = 9; // SIGKILL

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    // On the stand-in's thread: a tracee answers only to the thread that seized it. No work ends its life.
    private readonly BlockingCollection<Action> _work = [];
    private readonly Task<bool> _life;
    private Tracee? _tracee;
    private int _id;

    private PagemapStandIn(TaskCompletionSource<int> ready) => _life = DedicatedThread.RunAsync("stand-in", () => Live(ready));

    internal string Pagemap { get; private set; } = "";

    /// <summary>Starts one that has no pages to speak of.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    internal static async Task<PagemapStandIn> StartAsync()
    {
        var ready = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var standIn = new PagemapStandIn(ready);
        if (await Task.WhenAny(ready.Task, standIn._life) != ready.Task)
        {
            await standIn._life; // throws
        }

        standIn.Pagemap = $"/proc/{await ready.Task}/pagemap";
        return standIn;
    }

    /// <summary>Gives it pages, as many of memory, and guard pages; once.</summary>
    /// <exception cref="IOException">It cannot have them there.</exception>
    internal async Task FurnishAsync(PageSet pages, PageSet guards)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                Furnish(pages, guards);
                done.SetResult();
            }
            catch (IOException e)
            {
                done.SetException(e);
            }
        });
        await done.Task;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_work.IsAddingCompleted)
        {
            _work.CompleteAdding();
            await _life;
        }
    }

    private bool Live(TaskCompletionSource<int> ready)
    {
        var child = ChildLauncher.Launch(new ProcessCommand("sleep", "infinity"));
        try
        {
            child.Input.Dispose();
            child.Output.Dispose();
            child.Error.Dispose();
            Seize(child.Pid);
            ready.SetResult(child.Pid);
            foreach (var work in _work.GetConsumingEnumerable())
            {
                work();
            }

            return true;
        }
        finally
        {
            _ = Libc.Kill(child.Pid, Kill);
            WaitForChild.End(child.Pid);
            WaitForChild.Reap(child.Pid);
        }
    }

    private void Seize(int id)
    {
        _id = id;
        _tracee = new Tracee(id);
        if (_tracee.SeizeForLife() is var error and not 0)
        {
            throw Errno.Exception($"seizing process {id}", error);
        }

        _tracee.Interrupt();
        if (_tracee.WaitForTrap(StopLimit) != TraceStop.Trap)
        {
            throw new IOException($"process {id} does not stop");
        }
    }

    private void Furnish(PageSet pages, PageSet guards)
    {
        var (id, tracee) = (_id, _tracee!);
        using var memory = File.OpenHandle($"/proc/{id}/mem");
        var instruction = VdsoSystemCall.Find(id, memory) ?? throw new IOException($"process {id} has no vDSO with a system call instruction");
        var registers = tracee.ReadRegisters();
        foreach (var range in pages.Ranges)
        {
            Do("mmap", MapMemory, range.Start, range.Bytes, ReadWrite, PrivateAnonymousHere | Populate, ulong.MaxValue, 0);
        }

        foreach (var range in guards.Ranges)
        {
            Do("mmap", MapMemory, range.Start, range.Bytes, ReadWrite, PrivateAnonymousHere, ulong.MaxValue, 0);
            Do("madvise", AdviseMemory, range.Start, range.Bytes, InstallGuard);
        }

        void Do(string name, ulong number, params ReadOnlySpan<ulong> arguments)
        {
            // It never runs its own program again, so what it had there before may go; what it makes its calls by may not.
            if (arguments[0] <= instruction && instruction < arguments[0] + arguments[1])
            {
                throw new IOException($"process {id} has its vDSO where the container has memory");
            }

            if (tracee.Call(registers, instruction, StopLimit, number, arguments) is not >= 0 and var result)
            {
                throw new IOException($"{name} in process {id}: {(result is { } negative ? Errno.Describe((int)-negative) : "not carried out")}");
            }
        }
    }
}
