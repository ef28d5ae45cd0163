using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Empties a directory of anything that a copy can bring: names that are not UTF-8, paths longer than PATH_MAX. Follows
/// no symlink and leaves what other file systems are mounted on alone.
/// </summary>
public static class DirectoryCleaner
{
    /// <summary>Removes everything in <paramref name="directory"/> and leaves the directory itself.</summary>
    /// <returns>Entries removed.</returns>
    /// <exception cref="IOException">Something cannot be removed; the message names it.</exception>
    public static long Empty(string directory, CancellationToken cancellationToken = default)
    {
        using var cursor = new DirectoryCursor(directory);
        return Empty(cursor, cancellationToken);
    }

    /// <summary>Removes one entry of the cursor's directory, and all that is in it.</summary>
    /// <exception cref="IOException">Something cannot be removed; the message names it.</exception>
    internal static void RemoveEntry(DirectoryCursor cursor, ReadOnlySpan<byte> name, CancellationToken cancellationToken)
    {
        if (Remove(cursor, name, 0) || Remove(cursor, name, FileCalls.RemoveDirectory))
        {
            return;
        }

        var error = cursor.TryEnter(name, out _);
        if (error != 0)
        {
            throw FileError.Make(error, "remove", cursor.Describe(name));
        }

        _ = Empty(cursor, cancellationToken);
        cursor.Leave();
        if (!Remove(cursor, name, FileCalls.RemoveDirectory))
        {
            throw FileError.Last("remove", cursor.Describe(name));
        }
    }

    private static long Empty(DirectoryCursor cursor, CancellationToken cancellationToken)
    {
        var top = cursor.Depth;
        var removed = 0L;
        var listings = new Stack<(DirectoryListing Listing, int Next)>();
        listings.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
        while (listings.TryPop(out var level))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (listing, next) = level;
            var entered = false;
            while (next < listing.Count && !entered)
            {
                var name = listing.GetName(next);
                if (Remove(cursor, name, 0) || Remove(cursor, name, FileCalls.RemoveDirectory))
                {
                    removed++;
                    next++;
                    continue;
                }

                // Not empty: it is removed after what is in it, so the same name comes up again.
                var error = cursor.TryEnter(name, out _);
                entered = error == 0 ? true : throw FileError.Make(error, "remove", cursor.Describe(name));
            }

            if (entered)
            {
                listings.Push((listing, next));
                listings.Push((DirectoryListing.Read(cursor.Current, cursor.Describe([])), 0));
            }
            else if (cursor.Depth > top)
            {
                cursor.Leave();
            }
        }

        return removed;
    }

    /// <returns>True when the entry is gone, false when it is a directory (for plain unlink) or not empty (for rmdir).</returns>
    private static unsafe bool Remove(DirectoryCursor cursor, ReadOnlySpan<byte> name, int flags)
    {
        var path = new TerminatedName(name);
        if (FileCalls.Unlink(cursor.Current, (byte*)&path, flags) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() switch
        {
            ErrorCode.NoEntry => true,
            ErrorCode.IsDirectory when flags == 0 => false,
            ErrorCode.NotEmpty or ErrorCode.Exists when flags != 0 => false,
            _ => throw FileError.Last("remove", cursor.Describe(name)),
        };
    }
}
