using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>
/// Names a shared object for as long as somebody has it mapped: its inode on the kernel's internal tmpfs, as in <c>/proc/PID/maps</c>.
/// CRIU uses the inode as <c>shmid</c>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SharedMemoryId(ulong Inode);
