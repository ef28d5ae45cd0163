namespace ContainerMigrate.Images;

/// <summary>A pagemap image by its name.</summary>
/// <param name="Path">The file.</param>
/// <param name="IsSharedMemory">A shared memory segment's, not a process's.</param>
/// <param name="Id">The process's pid in the container's own pid namespace; the segment's number.</param>
public sealed record PagemapFile(string Path, bool IsSharedMemory, ulong Id);
