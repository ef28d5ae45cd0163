using System.Runtime.InteropServices;

namespace ContainerMigrate.Memory;

/// <summary>Pages that the source is asked for.</summary>
/// <param name="ProcessId">In the container's own pid namespace, as CRIU names its images.</param>
/// <param name="Range">By the addresses that they had when they were dumped.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PageRequest(int ProcessId, PageRange Range);
