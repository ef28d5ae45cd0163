using System.Diagnostics;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// A thread of a container held by ptrace. Everything from <see cref="Seize(bool)"/> on happens on one thread of ours; when that
/// ends the kernel lets go of a tracee that could not be detached, for instance because it never stopped.
/// </summary>
internal sealed unsafe class Tracee(int id)
{
    private const int EventStop = 128; // PTRACE_EVENT_STOP
    private const int SignalTrap = 5; // SIGTRAP
    private const int SystemCallMark = 0x80; // PTRACE_O_TRACESYSGOOD
    private const ulong NoSystemCall = ulong.MaxValue;
    private const ulong UserCodeSegment = 0x33; // __USER_CS: 64-bit user mode

    private const int FirstInFirstOut = 1; // SCHED_FIFO

    private static readonly TimeSpan BusyWait = TimeSpan.FromMicroseconds(50);
    private static readonly Libc.TimeValue Pause = new() { Nanoseconds = 20_000 };
    private static readonly TimeSpan InterruptInterval = TimeSpan.FromSeconds(1);

    private int _signal; // that it is about to receive, or 0
    private bool _isStopped;
    private int? _policy;

    /// <summary>When it was last seen to run before it stopped (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    internal long StoppedSince { get; private set; }

    /// <summary>
    /// Readies the calling thread, which ends with this work: it goes before ordinary threads where that is permitted and sleeps as briefly as it asks
    /// for. On a machine with more to do than processors the stopped program would otherwise wait for ours to get its turn.
    /// </summary>
    internal static void PrepareThread()
    {
        const int SetTimerSlack = 29; // PR_SET_TIMERSLACK
        _ = Libc.Prctl(SetTimerSlack, 1, 0, 0, 0);
        _ = Libc.SetScheduler(0, FirstInFirstOut, 1);
    }

    /// <summary>Attaches without stopping; 0 or the error number.</summary>
    internal int Seize(bool suspendSeccomp) => Seize(suspendSeccomp ? Ptrace.SuspendSeccomp : 0);

    /// <summary>As <see cref="Seize(bool)"/>, for a process of ours: it does not outlive this thread.</summary>
    internal int SeizeForLife() => Seize(Ptrace.EndWithTracer);

    private int Seize(int options) => Ptrace.Request(Ptrace.Seize, id, 0, (void*)(Ptrace.MarkSystemCallStops | options));

    /// <summary>Makes it stop soon, as a <see cref="TraceStop.Trap"/>; a sleep in the kernel is interrupted and resumed by the kernel later.</summary>
    internal void Interrupt() => _ = Ptrace.Request(Ptrace.Interrupt, id, 0, null);

    /// <summary>
    /// Waits until it stands where its registers may be changed. A signal that comes first is delivered; its handler has not begun yet at the stop.
    /// </summary>
    internal TraceStop WaitForTrap(TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var stop = Wait(limit - Stopwatch.GetElapsedTime(started));
            if (stop is TraceStop.Trap or TraceStop.None or TraceStop.Ended)
            {
                return stop;
            }

            Resume(Ptrace.Continue);
        }
    }

    /// <summary>
    /// Lets it run up to the next entry into, or exit from, a system call. Only SIGSTOP can come in between, since the others are blocked: the rest of
    /// the process stops by it, this thread once it is detached (unless SIGCONT has come by then).
    /// </summary>
    internal TraceStop RunToSystemCall(TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            Resume(Ptrace.SystemCall);
            var stop = Wait(limit - Stopwatch.GetElapsedTime(started));
            if (stop is TraceStop.SystemCall or TraceStop.None or TraceStop.Ended)
            {
                return stop;
            }
        }
    }

    /// <summary>One system call, from a stop where its registers may be changed; null when it could not be carried out in time, and was not.</summary>
    /// <param name="registers">As they are to be otherwise.</param>
    /// <param name="instruction">Address of a system call instruction: see <see cref="VdsoSystemCall"/>.</param>
    /// <param name="limit">For each half of it.</param>
    /// <param name="number">Of the call, x86-64.</param>
    /// <param name="arguments">At most six; the others are 0.</param>
    internal long? Call(Ptrace.Registers registers, ulong instruction, TimeSpan limit, ulong number, params ReadOnlySpan<ulong> arguments)
    {
        Span<ulong> all = stackalloc ulong[6];
        arguments.CopyTo(all);
        registers.Rip = instruction;
        registers.Rax = number;
        (registers.Rdi, registers.Rsi, registers.Rdx) = (all[0], all[1], all[2]);
        (registers.R10, registers.R8, registers.R9) = (all[3], all[4], all[5]);
        registers.OriginalRax = NoSystemCall; // or the kernel would take the stop for that of an interrupted call, and restart it
        WriteRegisters(registers);
        return RunToSystemCall(limit) == TraceStop.SystemCall && RunToSystemCall(limit) == TraceStop.SystemCall ? (long)ReadRegisters().Rax : null;
    }

    /// <summary>
    /// Brings it to a <see cref="TraceStop.Trap"/> from wherever it is, without a limit: it must not run on with registers that are not its own.
    /// </summary>
    /// <returns>False when it has ended.</returns>
    internal bool BringToTrap()
    {
        while (true)
        {
            Interrupt();
            if (_isStopped)
            {
                Resume(Ptrace.Continue);
            }

            switch (Wait(InterruptInterval))
            {
                case TraceStop.Trap:
                    return true;
                case TraceStop.Ended:
                    return false;
                case TraceStop.SystemCall:
                    // Late, after the time for it was over: the call that it is about to make is not made.
                    WriteRegisters(ReadRegisters() with { OriginalRax = NoSystemCall });
                    break;
            }
        }
    }

    /// <summary>
    /// Lets it, too, go before ordinary threads until <see cref="Detach"/>. It runs four times for some microseconds; waiting for a processor each time, in
    /// a container that has used up its share (cpu.max), would make a stop of 0.1 s of it.
    /// </summary>
    internal void RaisePriority()
    {
        const int ResetOnFork = 0x40000000; // SCHED_RESET_ON_FORK
        var policy = Libc.GetScheduler(id);
        if ((policy & ~ResetOnFork) is 0 or 3 or 5 && Libc.SetScheduler(id, FirstInFirstOut | (policy & ResetOnFork), 1) == 0) // SCHED_OTHER, _BATCH, _IDLE
        {
            _policy = policy;
        }
    }

    internal Ptrace.Registers ReadRegisters()
    {
        Ptrace.Registers registers;
        Check(Ptrace.Request(Ptrace.GetRegisters, id, 0, &registers));
        return registers;
    }

    internal void WriteRegisters(Ptrace.Registers registers) => Check(Ptrace.Request(Ptrace.SetRegisters, id, 0, &registers));

    internal ulong ReadSignalMask()
    {
        ulong mask;
        Check(Ptrace.Request(Ptrace.GetSignalMask, id, sizeof(ulong), &mask));
        return mask;
    }

    internal void WriteSignalMask(ulong mask) => Check(Ptrace.Request(Ptrace.SetSignalMask, id, sizeof(ulong), &mask));

    /// <summary>Lets go of it at a trap: a group stop comes into force again, an interrupted system call is restarted by the kernel.</summary>
    internal void Detach()
    {
        if (_policy is { } policy)
        {
            _ = Libc.SetScheduler(id, policy, 0);
            _policy = null;
        }

        _ = Ptrace.Request(Ptrace.Detach, id, 0, null);
    }

    internal static bool IsIn64BitMode(in Ptrace.Registers registers) => registers.Cs == UserCodeSegment;

    /// <summary>Whether the program has asked the kernel to hand it its own system calls (prctl(2), PR_SET_SYSCALL_USER_DISPATCH).</summary>
    internal bool DispatchesSystemCalls()
    {
        Ptrace.DispatchConfiguration configuration;
        return Ptrace.Request(Ptrace.GetDispatchConfiguration, id, (nuint)sizeof(Ptrace.DispatchConfiguration), &configuration) == 0 && configuration.Mode != 0;
    }

    /// <summary>
    /// Whether it stands inside a restartable sequence (rseq(2)). Run elsewhere from there, the kernel forgets the sequence instead of aborting it, and the
    /// program would go on with what it had read before.
    /// </summary>
    internal bool IsInRestartableSequence(in Ptrace.Registers registers, SafeFileHandle memory)
    {
        const int CurrentSequence = 8; // struct rseq, rseq_cs
        Ptrace.RseqConfiguration configuration;
        if (Ptrace.Request(Ptrace.GetRseqConfiguration, id, (nuint)sizeof(Ptrace.RseqConfiguration), &configuration) != 0 || configuration.Area == 0)
        {
            return false;
        }

        Span<ulong> sequence = stackalloc ulong[1];
        Span<ulong> descriptor = stackalloc ulong[3]; // struct rseq_cs: version and flags, start_ip, post_commit_offset
        return Read(memory, configuration.Area + CurrentSequence, sequence) && sequence[0] != 0
            && Read(memory, sequence[0], descriptor) && registers.Rip - descriptor[1] < descriptor[2];
    }

    private static bool Read(SafeFileHandle memory, ulong address, Span<ulong> destination)
    {
        var bytes = MemoryMarshal.AsBytes(destination);
        try
        {
            return RandomAccess.Read(memory, bytes, (long)address) == bytes.Length;
        }
        catch (IOException)
        {
            return false; // nothing is mapped there
        }
    }

    /// <summary>Goes on from a stop; a signal that it was about to receive is received.</summary>
    private void Resume(int request)
    {
        _isStopped = false;
        _ = Ptrace.Request(request, id, 0, (void*)_signal);
        _signal = 0;
    }

    private TraceStop Wait(TimeSpan limit)
    {
        // The kernel offers no wait with a time limit for a thread that another process owns. It is mostly there at once.
        var started = Stopwatch.GetTimestamp();
        StoppedSince = started;
        while (true)
        {
            int status;
            var asked = Stopwatch.GetTimestamp();
            try
            {
                if (Ptrace.TryWait(id, out status))
                {
                    return Classify(status);
                }
            }
            catch (IOException)
            {
                return TraceStop.Ended;
            }

            StoppedSince = asked;
            var elapsed = Stopwatch.GetElapsedTime(started);
            if (elapsed > limit)
            {
                return TraceStop.None;
            }

            if (elapsed < BusyWait)
            {
                Thread.Yield();
            }
            else
            {
                _ = Libc.Sleep(Pause, 0);
            }
        }
    }

    private TraceStop Classify(int status)
    {
        if ((status & 0xFF) != 0x7F) // not WIFSTOPPED
        {
            return TraceStop.Ended;
        }

        _isStopped = true;
        var signal = (status >> 8) & 0xFF;
        var stop = (status >> 16) == EventStop ? TraceStop.Trap
            : signal == (SignalTrap | SystemCallMark) ? TraceStop.SystemCall
            : TraceStop.Signal;
        _signal = stop == TraceStop.Signal ? signal : 0;
        return stop;
    }

    private void Check(int error)
    {
        if (error != 0)
        {
            throw Errno.Exception($"thread {id}", error);
        }
    }
}
