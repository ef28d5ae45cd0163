using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Host;

/// <summary>Asks the kernel whether something keeps its clock right.</summary>
internal static partial class ClockProbe
{
    private const int Unsynchronised = 0x40; // STA_UNSYNC

    /// <summary>Null when the kernel does not say.</summary>
    internal static bool? IsSynchronised()
    {
        var timex = new Timex();
        return Adjust(ref timex) < 0 ? null : (timex.Status & Unsynchronised) == 0;
    }

    // struct timex of linux/timex.h on 64-bit machines; with modes 0 it is only read.
    [StructLayout(LayoutKind.Explicit, Size = 208)]
    private struct Timex
    {
        [FieldOffset(40)]
        internal int Status;
    }

    [LibraryImport("libc", EntryPoint = "adjtimex", SetLastError = true)]
    private static partial int Adjust(ref Timex timex);
}
