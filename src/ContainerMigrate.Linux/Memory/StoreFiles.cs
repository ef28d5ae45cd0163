using System.Globalization;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Names in the directory of a store.</summary>
internal static class StoreFiles
{
    private const string PagesPrefix = "pages-";
    private const string IndexPrefix = "index-";
    private const string ArrivedPrefix = "arrived-";

    /// <summary>Raw pages of one process, each at its slab's place.</summary>
    internal static string Pages(string directory, int processId) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{PagesPrefix}{processId}"));

    /// <summary>Written when the store is sealed: what of the pages a lazy restore has to bring.</summary>
    internal static string Index(string directory, int processId) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{IndexPrefix}{processId}"));

    /// <summary>Which of the pages that the source had to be asked for are here.</summary>
    internal static string Arrived(string directory, int processId) => Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{ArrivedPrefix}{processId}"));

    /// <summary>Processes of which a sealed store has an index.</summary>
    internal static IEnumerable<int> Processes(string directory) =>
        from path in Directory.EnumerateFiles(directory, IndexPrefix + "*")
        let name = Path.GetFileName(path)[IndexPrefix.Length..]
        where int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        select int.Parse(name, CultureInfo.InvariantCulture);

    /// <summary>What the restored processes did to their address spaces while their pages were still loading.</summary>
    internal static string Journal(string directory) => Path.Combine(directory, "events");

    /// <summary>Where the lazy-pages server finds who holds its userfaultfds.</summary>
    internal static string HolderSocket(string directory) => Path.Combine(directory, "holder.sock");
}
