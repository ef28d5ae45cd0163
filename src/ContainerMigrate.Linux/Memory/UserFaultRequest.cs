using System.Diagnostics;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// Makes a process open a userfaultfd for its own memory (there is no other way to get one), takes it over, and has it closed there. The two system calls
/// run through an instruction of the vDSO: no byte of the process changes. Blocking; runs on a thread of its own. A daemon that is killed in that third of a
/// millisecond takes the process with it: the kernel lets it run on with our registers.
/// </summary>
internal sealed class UserFaultRequest(int processId, ProcessDescriptor process, SafeFileHandle memory)
{
    private const ulong UserFaultFd = 323; // __NR_userfaultfd, x86-64
    private const ulong CloseFd = 3; // __NR_close
    private const ulong CloseOnExec = 0x80000; // O_CLOEXEC
    private const ulong NonBlocking = 0x800; // O_NONBLOCK
    private const ulong UserModeOnly = 1; // UFFD_USER_MODE_ONLY
    private const ulong AllSignals = ulong.MaxValue; // the kernel leaves out SIGKILL and SIGSTOP

    // A thread that waits for a disk, or for a child of vfork(2), does not stop, and one that waits for a processor stops when it gets one. Until then
    // it is not held up by us.
    private static readonly TimeSpan StopLimit = TimeSpan.FromMilliseconds(200);

    // Only a freeze, or a machine without a moment of CPU time, makes it as long as this.
    private static readonly TimeSpan CallLimit = TimeSpan.FromMilliseconds(500);

    private const int SequenceAttempts = 20;

    private readonly Tracee _thread = new(processId);

    /// <param name="processId">The process, by its first thread.</param>
    /// <param name="process">The same.</param>
    /// <param name="memory">Its <c>/proc/PID/mem</c>.</param>
    internal static Task<UserFaultOutcome> RunAsync(int processId, ProcessDescriptor process, SafeFileHandle memory) =>
        DedicatedThread.RunAsync($"attach {processId}", () => new UserFaultRequest(processId, process, memory).Run(leftOpen: null));

    /// <summary>Closes what <see cref="UserFaultOutcome.LeftOpen"/> tells of.</summary>
    internal static Task<UserFaultOutcome> CloseAsync(int processId, ProcessDescriptor process, SafeFileHandle memory, int descriptor) =>
        DedicatedThread.RunAsync($"detach {processId}", () => new UserFaultRequest(processId, process, memory).Run(descriptor));

    private UserFaultOutcome Run(int? leftOpen)
    {
        Tracee.PrepareThread();
        try
        {
            return Attach(leftOpen);
        }
        catch (IOException)
        {
            return UserFaultOutcome.Refused("it has ended"); // killed while it was held
        }
    }

    private UserFaultOutcome Attach(int? leftOpen)
    {
        var status = ProcText.ReadOrEmpty($"/proc/{processId}/status");
        if (status.Length == 0 || process.HasEnded)
        {
            return UserFaultOutcome.Refused("it has ended");
        }

        if (ProcText.ParseNumber(status, "TracerPid") is var tracer and not 0)
        {
            return UserFaultOutcome.Refused($"it is being traced by process {tracer}", mayPass: true);
        }

        if (VdsoSystemCall.Find(processId, memory) is not { } instruction)
        {
            return UserFaultOutcome.Refused("it has no vDSO with a system call instruction", mayPass: true); // or is just replacing its program
        }

        var hasSeccomp = ProcText.ParseNumber(status, "Seccomp") != 0;
        if (_thread.Seize(hasSeccomp) is var error and not 0)
        {
            return UserFaultOutcome.Refused(DescribeSeizure(error, hasSeccomp), mayPass: error == Errno.NotPermitted && !hasSeccomp);
        }

        for (var attempt = 0; ; attempt++)
        {
            _thread.Interrupt();
            switch (_thread.WaitForTrap(StopLimit))
            {
                case TraceStop.Ended:
                    return UserFaultOutcome.Refused("it has ended");
                case TraceStop.None:
                    return UserFaultOutcome.Refused("its first thread does not react: it waits in the kernel, has ended, or is frozen", mayPass: true);
            }

            var registers = _thread.ReadRegisters();
            if (!Tracee.IsIn64BitMode(registers) || _thread.DispatchesSystemCalls())
            {
                _thread.Detach();
                return UserFaultOutcome.Refused("it is a 32-bit program, or handles its own system calls");
            }

            if (!_thread.IsInRestartableSequence(registers, memory))
            {
                return Exchange(registers, instruction, leftOpen);
            }

            _thread.Detach(); // the kernel aborts the sequence now; the program starts it afresh
            if (attempt == SequenceAttempts || _thread.Seize(hasSeccomp) != 0)
            {
                return UserFaultOutcome.Refused("it stood in a restartable sequence each time", mayPass: true);
            }
        }
    }

    /// <summary>From a trap to the detached thread; whatever happens, its registers and signal mask are what they were.</summary>
    private UserFaultOutcome Exchange(in Ptrace.Registers registers, ulong instruction, int? leftOpen)
    {
        var stoppedAt = _thread.StoppedSince;
        var mask = _thread.ReadSignalMask();
        _thread.WriteSignalMask(AllSignals);
        _thread.RaisePriority();
        var outcome = new UserFaultOutcome();
        var descriptor = leftOpen;
        if (descriptor is null)
        {
            var opened = _thread.Call(registers, instruction, CallLimit, UserFaultFd, CloseOnExec | NonBlocking | UserModeOnly);
            if (opened is null or < 0)
            {
                outcome = opened is null
                    ? UserFaultOutcome.Refused("it was frozen meanwhile, or got no CPU time", mayPass: true)
                    : UserFaultOutcome.Refused($"it was refused a userfaultfd: {Errno.Describe((int)-opened.Value)}");
            }
            else
            {
                descriptor = (int)opened.Value;
                outcome = Take(descriptor.Value);
            }
        }

        if (descriptor is { } open && _thread.Call(registers, instruction, CallLimit, CloseFd, (ulong)open) is null)
        {
            outcome = outcome with { LeftOpen = open };
        }

        Release(registers, mask);
        return outcome with { Stopped = Stopwatch.GetElapsedTime(stoppedAt) };
    }

    private UserFaultOutcome Take(int descriptor)
    {
        var handle = process.Duplicate(descriptor);
        if (!handle.IsInvalid)
        {
            return new UserFaultOutcome { Descriptor = handle };
        }

        var error = Errno.Last;
        handle.Dispose();
        return UserFaultOutcome.Refused($"its userfaultfd cannot be taken over: {Errno.Describe(error)}");
    }

    private void Release(in Ptrace.Registers registers, ulong mask)
    {
        // Registers are given back at a trap and not at a system call's exit: only there the kernel looks again whether a call was interrupted.
        if (_thread.BringToTrap())
        {
            _thread.WriteRegisters(registers);
            _thread.WriteSignalMask(mask);
            _thread.Detach();
        }
    }

    private static string DescribeSeizure(int error, bool hasSeccomp) =>
        error == Errno.NotPermitted && hasSeccomp
            ? "its seccomp filter cannot be suspended (CAP_SYS_ADMIN is needed, and no filter on this daemon), or it is being traced"
            : $"it cannot be traced: {Errno.Describe(error)}";
}
