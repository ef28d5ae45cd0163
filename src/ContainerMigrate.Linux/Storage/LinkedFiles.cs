using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>The receiver's memory of entries that have more names to come. Only what this stream made can be linked to.</summary>
internal sealed class LinkedFiles(DirectoryCursor cursor, int maxFiles)
{
    // Components of one openat2 call: 15 of the longest names stay below PATH_MAX.
    private const int ComponentsPerCall = 15;
    private readonly Dictionary<ulong, LinkedFile> _files = [];

    /// <summary>Remembers the entry just made in the current directory; nothing for id 0.</summary>
    /// <exception cref="InvalidDataException">The id was used before, or there are too many.</exception>
    public void Add(ulong id, ReadOnlySpan<byte> name)
    {
        if (id == 0)
        {
            return;
        }

        if (_files.Count >= maxFiles)
        {
            throw new InvalidDataException($"file stream: more than {maxFiles} files with several names at a time");
        }

        if (!_files.TryAdd(id, new LinkedFile(cursor.Node, name.ToArray())))
        {
            throw new InvalidDataException($"{cursor.Describe(name)}: link id {id} was given before");
        }
    }

    /// <summary>Gives an entry one more name, in the current directory.</summary>
    /// <exception cref="InvalidDataException">No such id, or the name is taken.</exception>
    /// <exception cref="IOException">This host could not link.</exception>
    public unsafe void MakeLink(ulong id, ReadOnlySpan<byte> name, bool isLast)
    {
        if (!_files.TryGetValue(id, out var file))
        {
            throw new InvalidDataException($"{cursor.Describe(name)}: a hard link to something that did not come (id {id})");
        }

        if (isLast)
        {
            _files.Remove(id);
        }

        var isHere = ReferenceEquals(file.Directory, cursor.Node);
        var directory = isHere ? new Descriptor(cursor.Current) : Open(file.Directory);
        try
        {
            var from = new TerminatedName(file.Name);
            var to = new TerminatedName(name);
            if (FileCalls.MakeLink(directory.Value, (byte*)&from, cursor.Current, (byte*)&to, 0) != 0)
            {
                throw Marshal.GetLastPInvokeError() == ErrorCode.Exists
                    ? new InvalidDataException($"{cursor.Describe(name)}: it came twice, or was there before")
                    : FileError.Last("link", cursor.Describe(name));
            }
        }
        finally
        {
            if (!isHere)
            {
                directory.Dispose();
            }
        }
    }

    /// <summary>Walks from the root to a directory, a few components a call since the whole may be longer than a path can be.</summary>
    private unsafe Descriptor Open(DirectoryNode node)
    {
        const ulong Resolve = FileCalls.ResolveBeneath | FileCalls.ResolveNoSymlinks | FileCalls.ResolveNoMagicLinks | FileCalls.ResolveNoCrossing;
        var names = new Stack<byte[]>();
        for (; node.Parent is not null; node = node.Parent)
        {
            names.Push(node.Name);
        }

        var opened = cursor.Root;
        var path = stackalloc byte[ComponentsPerCall * (TreeStreamFormat.MaxNameLength + 1)];
        do
        {
            var length = 0;
            for (var i = 0; i < ComponentsPerCall && names.TryPop(out var component); i++)
            {
                component.CopyTo(new Span<byte>(path + length, component.Length));
                length += component.Length;
                path[length++] = (byte)'/';
            }

            path[Math.Max(0, length - 1)] = 0;
            if (length == 0)
            {
                (path[0], path[1]) = ((byte)'.', 0);
            }

            var next = new Descriptor(FileCalls.OpenBeneath(
                opened.Value, path, FileCalls.PathOnly | FileCalls.DirectoryOnly | FileCalls.NoFollow | FileCalls.CloseOnExec, 0, Resolve));
            var error = Marshal.GetLastPInvokeError();
            if (opened.Value != cursor.Root.Value)
            {
                opened.Dispose();
            }

            opened = next.IsOpen ? next : throw FileError.Make(error, "open", "the directory of a linked file");
        }
        while (names.Count > 0);

        return opened;
    }
}
