using System.Runtime.InteropServices;

namespace ContainerMigrate.Storage;

/// <summary>A struct timespec.</summary>
/// <param name="Seconds">Since 1970, negative before.</param>
/// <param name="Nanoseconds">0..999 999 999, always counted forward.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct FileTime(long Seconds, uint Nanoseconds);
