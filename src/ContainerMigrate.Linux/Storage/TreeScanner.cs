namespace ContainerMigrate.Linux.Storage;

/// <summary>Takes a <see cref="TreeSnapshot"/> by status alone: nothing but directories is opened.</summary>
internal static class TreeScanner
{
    /// <param name="cursor">At the root.</param>
    /// <param name="expected">About how many entries there are.</param>
    /// <param name="maxEntries">More than these are not kept.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="only">Name of the one entry of the root that counts, which is no directory; null: all.</param>
    /// <returns>Null when there are too many entries.</returns>
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public static TreeSnapshot? Run(DirectoryCursor cursor, int expected, int maxEntries, CancellationToken cancellationToken, byte[]? only = null)
    {
        var snapshot = new TreeSnapshot(expected);
        snapshot.AddRoot(new EntryStamp(cursor.Root.GetStatus(cursor.Describe([]))));
        if (only is not null)
        {
            snapshot.BeginChildren(0);
            if (cursor.TryGetStatus(only, out var status))
            {
                snapshot.AddChild(only, new EntryStamp(status));
            }

            snapshot.EndChildren(0);
            return snapshot;
        }

        ReadDirectory(snapshot, 0, cursor, maxEntries);
        var levels = new Stack<(int Directory, int Next)>();
        levels.Push((0, 0));
        while (snapshot.Count <= maxEntries && levels.TryPop(out var level))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (directory, next) = level;
            var entered = -1;
            for (; next < snapshot[directory].ChildCount && entered < 0; next++)
            {
                var child = snapshot[directory].FirstChild + next;
                if (snapshot[child].Stamp is { IsDirectory: true, IsMountRoot: false } && TryEnter(cursor, snapshot.NameOf(child), ref snapshot[child].Stamp))
                {
                    entered = child;
                }
            }

            if (entered >= 0)
            {
                ReadDirectory(snapshot, entered, cursor, maxEntries);
                levels.Push((directory, next));
                levels.Push((entered, 0));
            }
            else if (cursor.Depth > 0)
            {
                cursor.Leave();
            }
        }

        return snapshot.Count <= maxEntries ? snapshot : null;
    }

    // In the order of the listing, which is nearer to how they lie on the disk than that of the names.
    private static void ReadDirectory(TreeSnapshot snapshot, int directory, DirectoryCursor cursor, int maxEntries)
    {
        var listing = DirectoryListing.Read(cursor.Current, cursor.Describe([]));
        snapshot.BeginChildren(directory);
        for (var i = 0; i < listing.Count && snapshot.Count <= maxEntries; i++)
        {
            if (cursor.TryGetStatus(listing.GetName(i), out var status))
            {
                snapshot.AddChild(listing.GetName(i), new EntryStamp(status));
            }
        }

        snapshot.EndChildren(directory);
    }

    // What is no directory any more is found out about by whoever sends it.
    private static bool TryEnter(DirectoryCursor cursor, ReadOnlySpan<byte> name, ref EntryStamp stamp)
    {
        var error = cursor.TryEnter(name, out var status);
        if (error == 0)
        {
            stamp = new EntryStamp(status);
            return true;
        }

        return error is ErrorCode.NoEntry or ErrorCode.NotDirectory or ErrorCode.Loop or ErrorCode.CrossDevice or ErrorCode.Stale
            ? false
            : throw FileError.Make(error, "open", cursor.Describe(name));
    }
}
