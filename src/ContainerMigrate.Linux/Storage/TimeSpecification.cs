using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>struct timespec on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct TimeSpecification(FileTime time)
{
    public readonly long Seconds = time.Seconds;
    public readonly long Nanoseconds = time.Nanoseconds;
}
