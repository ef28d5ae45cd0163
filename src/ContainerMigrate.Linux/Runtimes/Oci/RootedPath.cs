namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>Paths inside a container's root file system, as the container itself would resolve them.</summary>
internal static class RootedPath
{
    private const int MaxLinks = 40; // the kernel's own limit, path_resolution(7)

    /// <summary>
    /// Follows symbolic links without ever leaving <paramref name="root"/>, like runc's SecureJoin. What does not exist stays as it is
    /// written. The answer is for comparing and naming: whoever opens it later must resolve it again.
    /// </summary>
    /// <param name="root">The root file system on this host.</param>
    /// <param name="path">An absolute path inside it.</param>
    public static string Resolve(string root, string path)
    {
        var pending = new Stack<string>(Parts(path).Reverse());
        var resolved = new List<string>();
        var links = 0;
        while (pending.TryPop(out var part))
        {
            if (part == "..")
            {
                if (resolved.Count > 0)
                {
                    resolved.RemoveAt(resolved.Count - 1);
                }

                continue;
            }

            if (new FileInfo(Path.Combine([root, .. resolved, part])).LinkTarget is not { } target || ++links > MaxLinks)
            {
                resolved.Add(part);
                continue;
            }

            if (target.StartsWith('/'))
            {
                resolved.Clear();
            }

            foreach (var next in Parts(target).Reverse())
            {
                pending.Push(next);
            }
        }

        return "/" + string.Join('/', resolved);
    }

    private static IEnumerable<string> Parts(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".");
}
