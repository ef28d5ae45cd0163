using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Interop;

/// <summary>
/// <c>posix_spawn(3)</c>: unlike <see cref="System.Diagnostics.Process"/> it gives the child a process group of its own,
/// and the child is cloned from the calling thread, so it starts in that thread's network namespace.
/// </summary>
internal static partial class PosixSpawn
{
    // glibc: posix_spawnattr_t is 336 bytes, posix_spawn_file_actions_t 80, sigset_t 128; room to spare for other C libraries.
    internal const int OpaqueSize = 512;

    internal const short SetProcessGroup = 0x02;
    internal const short SetSignalDefaults = 0x04;
    internal const short SetSignalMask = 0x08;

    [LibraryImport("libc", EntryPoint = "posix_spawnp")]
    internal static unsafe partial int SpawnFromPath(out int pid, byte* file, byte* fileActions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    internal static unsafe partial int InitializeAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    internal static unsafe partial int DestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    internal static unsafe partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setpgroup")]
    internal static unsafe partial int SetGroup(byte* attributes, int group);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    internal static unsafe partial int SetDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    internal static unsafe partial int SetMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    internal static unsafe partial int FillSignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    internal static unsafe partial int EmptySignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    internal static unsafe partial int InitializeFileActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    internal static unsafe partial int DestroyFileActions(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    internal static unsafe partial int AddDuplicate(byte* actions, int descriptor, int target);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np")]
    internal static unsafe partial int AddChangeDirectory(byte* actions, byte* path);
}

/// <summary>Waiting for children without taking their pid away before everything with it is done.</summary>
internal static partial class WaitForChild
{
    private const int ByPid = 1; // P_PID
    private const int Exited = 4; // WEXITED
    private const int KeepWaitable = 0x01000000; // WNOWAIT
    private const int CodeExited = 1; // CLD_EXITED

    /// <summary>Blocks until the child has ended; its pid and group stay reserved until <see cref="Reap"/>.</summary>
    /// <returns>The exit code, or 128 + the signal that killed it, as shells count.</returns>
    internal static int End(int pid)
    {
        while (true)
        {
            if (WaitId(ByPid, pid, out var info, Exited | KeepWaitable) == 0)
            {
                return info.Code == CodeExited ? info.Status : 128 + info.Status;
            }

            if (Errno.Last != Errno.Interrupted)
            {
                throw Errno.Exception($"waiting for process {pid}", Errno.Last);
            }
        }
    }

    internal static void Reap(int pid)
    {
        while (WaitId(ByPid, pid, out _, Exited) != 0 && Errno.Last == Errno.Interrupted)
        {
        }
    }

    // siginfo_t as waitid(2) fills it on 64-bit Linux: 128 bytes, si_code at 8, si_status at 24.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct SignalInformation
    {
        [FieldOffset(8)]
        internal int Code;
        [FieldOffset(24)]
        internal int Status;
    }

    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    private static partial int WaitId(int kind, int id, out SignalInformation information, int options);
}
