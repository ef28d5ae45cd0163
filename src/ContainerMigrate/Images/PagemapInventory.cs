using System.Globalization;

namespace ContainerMigrate.Images;

/// <summary>The pagemap images of a directory.</summary>
public static class PagemapInventory
{
    private const string Prefix = "pagemap-";
    private const string SharedMemory = "shmem-";
    private const string Suffix = ".img";

    /// <summary>Those of processes first, each kind by number. Files with other names are left out.</summary>
    public static IReadOnlyList<PagemapFile> Read(string directory) =>
        [.. Directory.EnumerateFiles(directory, Prefix + "*" + Suffix).Select(Parse).OfType<PagemapFile>().OrderBy(f => f.IsSharedMemory).ThenBy(f => f.Id)];

    /// <summary>The path of a process's pagemap image.</summary>
    /// <param name="processId">In the container's own pid namespace.</param>
    public static string PathOf(string directory, int processId) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{processId}{Suffix}"));

    private static PagemapFile? Parse(string path)
    {
        var name = Path.GetFileName(path.AsSpan())[Prefix.Length..^Suffix.Length];
        var isSharedMemory = name.StartsWith(SharedMemory, StringComparison.Ordinal);
        return ulong.TryParse(isSharedMemory ? name[SharedMemory.Length..] : name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? new PagemapFile(path, isSharedMemory, id)
            : null;
    }
}
