using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Counts what <see cref="TreeSender"/> would send, by status alone but for files with holes.</summary>
internal static class TreeMeasurer
{
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    public static CopyTotals Run(DirectoryCursor cursor, CancellationToken cancellationToken)
    {
        var links = new LinkIds();
        var entries = 0L;
        var bytes = 0L;
        var listings = new Stack<(DirectoryListing Listing, int Next)>();
        listings.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
        while (listings.TryPop(out var level))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (listing, next) = level;
            var entered = false;
            for (; next < listing.Count && !entered; next++)
            {
                var name = listing.GetName(next);
                if (!cursor.TryGetStatus(name, out var status))
                {
                    continue;
                }

                entries++;
                if (status.Type == TreeAttributes.Directory)
                {
                    entered = cursor.TryEnter(name, out _) == 0;
                }
                else if (status.Type == TreeAttributes.RegularFile && !status.IsMountRoot)
                {
                    _ = links.Find(status, out var use);
                    bytes += use == LinkUse.First ? CountContent(cursor, name, status) : 0;
                }
            }

            if (entered)
            {
                listings.Push((listing, next));
                listings.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
            }
            else if (cursor.Depth > 0)
            {
                cursor.Leave();
            }
        }

        return new CopyTotals(entries, bytes);
    }

    private static long CountContent(DirectoryCursor cursor, ReadOnlySpan<byte> name, in FileStatus status)
    {
        if (!FileExtents.MayHaveHoles(status))
        {
            return (long)status.Size;
        }

        using var entry = Descriptor.OpenPath(cursor.Current, name);
        using var file = entry.IsOpen && entry.GetStatus().Type == TreeAttributes.RegularFile ? entry.OpenContent() : Descriptor.None;
        if (!file.IsOpen)
        {
            return 0;
        }

        var extents = new FileExtents(file, status);
        var bytes = 0L;
        for (var position = 0L; position < extents.Size;)
        {
            extents.Find(position, out var start, out position);
            bytes += position - start;
        }

        return bytes;
    }
}
