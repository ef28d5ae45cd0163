using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Interop;

/// <summary>kcmp(2).</summary>
internal static partial class ProcessComparison
{
    private const int KcmpX64 = 312; // __NR_kcmp
    private const int AddressSpace = 1; // KCMP_VM

    /// <summary>Whether two processes have the very same memory, as after vfork(2) or clone(2) with CLONE_VM. False when one has ended.</summary>
    internal static bool ShareMemory(int first, int second) => Call(KcmpX64, first, second, AddressSpace, 0, 0) == 0;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint first, nint second, nint kind, nint firstIndex, nint secondIndex);
}
