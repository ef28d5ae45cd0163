using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Interop;

/// <summary>
/// <c>ptrace(2)</c> and the waiting that goes with it. The kernel takes a request only from the thread that attached, and lets go of
/// everything that a thread holds when the thread ends.
/// </summary>
internal static unsafe partial class Ptrace
{
    internal const int Continue = 7; // PTRACE_CONT
    internal const int GetRegisters = 12; // PTRACE_GETREGS
    internal const int SetRegisters = 13; // PTRACE_SETREGS
    internal const int Detach = 17; // PTRACE_DETACH
    internal const int SystemCall = 24; // PTRACE_SYSCALL
    internal const int Seize = 0x4206; // PTRACE_SEIZE
    internal const int Interrupt = 0x4207; // PTRACE_INTERRUPT
    internal const int GetSignalMask = 0x420A; // PTRACE_GETSIGMASK
    internal const int SetSignalMask = 0x420B; // PTRACE_SETSIGMASK
    internal const int GetRseqConfiguration = 0x420F; // PTRACE_GET_RSEQ_CONFIGURATION
    internal const int GetDispatchConfiguration = 0x4211; // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG

    internal const int MarkSystemCallStops = 1; // PTRACE_O_TRACESYSGOOD
    internal const int EndWithTracer = 1 << 20; // PTRACE_O_EXITKILL
    internal const int SuspendSeccomp = 1 << 21; // PTRACE_O_SUSPEND_SECCOMP

    private const int WaitAllKinds = 0x40000000; // __WALL
    private const int NoHang = 1; // WNOHANG

    /// <summary>struct user_regs_struct of sys/user.h, x86-64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Registers
    {
        internal ulong R15, R14, R13, R12, Rbp, Rbx, R11, R10, R9, R8, Rax, Rcx, Rdx, Rsi, Rdi, OriginalRax, Rip, Cs, Flags, Rsp, Ss, FsBase, GsBase, Ds, Es, Fs, Gs;
    }

    /// <summary>struct ptrace_rseq_configuration of linux/ptrace.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct RseqConfiguration
    {
        internal ulong Area;
        internal uint AreaBytes, Signature, Flags, Padding;
    }

    /// <summary>struct ptrace_sud_config of linux/ptrace.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct DispatchConfiguration
    {
        internal ulong Mode, Selector, Offset, Length;
    }

    /// <summary>0, or the error number.</summary>
    internal static int Request(int request, int thread, nuint address, void* data) =>
        Call(request, thread, address, data) >= 0 ? 0 : Errno.Last;

    /// <summary>What the thread has reported; <paramref name="status"/> as of wait(2).</summary>
    /// <returns>False while there is nothing new.</returns>
    /// <exception cref="IOException">There is nothing to wait for: it has ended, or is not traced.</exception>
    internal static bool TryWait(int thread, out int status)
    {
        while (true)
        {
            var result = Wait(thread, out status, WaitAllKinds | NoHang);
            if (result >= 0)
            {
                return result == thread;
            }

            if (Errno.Last != Errno.Interrupted)
            {
                throw Errno.Exception($"waiting for thread {thread}", Errno.Last);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "ptrace", SetLastError = true)]
    private static partial long Call(nint request, int thread, nuint address, void* data);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int Wait(int thread, out int status, int options);
}
