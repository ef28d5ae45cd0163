using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// What a stream of changes does to entries that are there already. They are reached by one name in the cursor's directory; a symlink is
/// never followed, and nothing is opened before it was seen to be a directory or a regular file.
/// </summary>
internal static class ExistingEntry
{
    /// <summary>Goes into a directory, and takes its extended attributes away: they come anew at its end, and a default ACL would be inherited until then.</summary>
    /// <exception cref="InvalidDataException">There is no such directory.</exception>
    /// <exception cref="IOException">This host cannot open it.</exception>
    public static void Enter(DirectoryCursor cursor, ReadOnlySpan<byte> name)
    {
        var error = cursor.TryEnter(name, out _);
        if (error != 0)
        {
            throw error is ErrorCode.NoEntry or ErrorCode.NotDirectory or ErrorCode.Loop
                ? new InvalidDataException($"{cursor.Describe(name)}: a directory that is not there is to change")
                : FileError.Make(error, "open", cursor.Describe(name));
        }

        ExtendedAttributes.RemoveTravelling(cursor.Current, withOverlay: true);
    }

    /// <summary>Removes an entry, and all that is in it.</summary>
    /// <exception cref="InvalidDataException">There is no such entry.</exception>
    /// <exception cref="IOException">This host cannot remove it.</exception>
    public static void Remove(DirectoryCursor cursor, ReadOnlySpan<byte> name, CancellationToken cancellationToken)
    {
        if (!cursor.TryGetStatus(name, out _))
        {
            throw new InvalidDataException($"{cursor.Describe(name)}: something that is not there is to go");
        }

        DirectoryCleaner.RemoveEntry(cursor, name, cancellationToken);
    }

    /// <summary>Opens a regular file for writing. A device that the stream itself has made is none.</summary>
    /// <exception cref="InvalidDataException">There is no such file.</exception>
    /// <exception cref="IOException">This host cannot open it.</exception>
    public static unsafe Descriptor OpenFile(DirectoryCursor cursor, ReadOnlySpan<byte> name)
    {
        using var entry = Descriptor.OpenPath(cursor.Current, name);
        if (!entry.IsOpen && Marshal.GetLastPInvokeError() != ErrorCode.NoEntry)
        {
            throw FileError.Last("open", cursor.Describe(name));
        }

        if (!entry.IsOpen || entry.GetStatus() is not { Type: TreeAttributes.RegularFile, IsMountRoot: false })
        {
            throw new InvalidDataException($"{cursor.Describe(name)}: a file that is not there is to change");
        }

        var path = TerminatedName.OfDescriptor(entry.Value);
        var file = new Descriptor(FileCalls.OpenAt(FileCalls.CurrentDirectory, (byte*)&path, FileCalls.WriteOnly | FileCalls.CloseOnExec, 0));
        return file.IsOpen ? file : throw FileError.Last("open", cursor.Describe(name));
    }
}
