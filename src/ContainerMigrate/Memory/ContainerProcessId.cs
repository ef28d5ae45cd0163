using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>A process by both of its numbers.</summary>
/// <param name="HostId">Its pid on this host.</param>
/// <param name="InnerId">Its pid in its own, innermost pid namespace: the number in the names of CRIU's images.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ContainerProcessId(int HostId, int InnerId);
