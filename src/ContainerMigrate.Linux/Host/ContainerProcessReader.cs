using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Linux.Interop;

namespace ContainerMigrate.Linux.Host;

/// <summary>Reads the processes of a cgroup from /proc. What ends meanwhile is left out.</summary>
internal static partial class ContainerProcessReader
{
    /// <summary>All processes of the cgroup and those beneath it.</summary>
    internal static IReadOnlyList<ContainerProcess> ReadAll(string cgroupDirectory, CancellationToken cancellationToken)
    {
        List<ContainerProcess> processes = [];
        var mounts = new Dictionary<string, MountTable>();
        foreach (var id in ReadIds(cgroupDirectory))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Read(id, mounts) is { } process)
            {
                processes.Add(process);
            }
        }

        return processes;
    }

    /// <summary>Namespaces of a process by their names in /proc.</summary>
    internal static IReadOnlyDictionary<string, string> ReadNamespaces(string process)
    {
        var namespaces = new Dictionary<string, string>();
        foreach (var name in (ReadOnlySpan<string>)["pid", "net", "ipc", "user", "mnt", "uts"])
        {
            if (ReadLink($"/proc/{process}/ns/{name}") is { } identity)
            {
                namespaces[name] = identity;
            }
        }

        return namespaces;
    }

    private static IEnumerable<int> ReadIds(string cgroupDirectory)
    {
        // A threaded cgroup refuses to list processes; its domain lists them.
        var own = ProcText.ReadOrEmpty(Path.Combine(cgroupDirectory, "cgroup.procs"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line, CultureInfo.InvariantCulture));
        return own.Concat(Directory.EnumerateDirectories(cgroupDirectory).SelectMany(ReadIds));
    }

    private static ContainerProcess? Read(int id, Dictionary<string, MountTable> mounts)
    {
        var status = ProcText.ReadOrEmpty($"/proc/{id}/status");
        var namespaces = ReadNamespaces(id.ToString(CultureInfo.InvariantCulture));
        if (status.Length == 0 || !namespaces.TryGetValue("mnt", out var mountNamespace))
        {
            return null;
        }

        if (!mounts.TryGetValue(mountNamespace, out var table))
        {
            mounts[mountNamespace] = table = MountTable.Parse(ProcText.ReadOrEmpty($"/proc/{id}/mountinfo"));
        }

        var maps = ProcText.ReadOrEmpty($"/proc/{id}/maps");
        return new ContainerProcess
        {
            Id = id,
            Name = ProcText.FindField(status, "Name") ?? "?",
            Arguments = ProcText.ReadOrEmpty($"/proc/{id}/cmdline").TrimEnd('\0').Split('\0'),
            ParentId = ProcText.ParseNumber(status, "PPid"),
            TracerId = ProcText.ParseNumber(status, "TracerPid"),
            Namespaces = namespaces,
            MountIds = table.Ids,
            HasOverlayRoot = table.HasOverlayRoot,
            Descriptors = [.. ReadDescriptors(id)],
            MappedFiles = ParseMappedFiles(maps),
            IsFirstCodeShared = IsFirstCodeShared(maps),
        };
    }

    private static IEnumerable<OpenDescriptor> ReadDescriptors(int id)
    {
        IEnumerable<string> links;
        try
        {
            links = Directory.GetFileSystemEntries($"/proc/{id}/fd");
        }
        catch (IOException)
        {
            yield break;
        }

        foreach (var link in links)
        {
            if (ReadLink(link) is { } target)
            {
                var number = int.Parse(Path.GetFileName(link), CultureInfo.InvariantCulture);
                var information = ProcText.ReadOrEmpty($"/proc/{id}/fdinfo/{number}");
                yield return new OpenDescriptor(number, target, ParseMountId(information))
                {
                    SocketProtocol = target.StartsWith("socket:", StringComparison.Ordinal) ? ReadSocketProtocol(link) : null,
                    Device = target.StartsWith('/') ? ReadDevice(link) : null,
                    IsSemaphore = ProcText.ParseNumber(information, "eventfd-semaphore") == 1,
                    HasWatches = information.Contains("\ninotify wd:", StringComparison.Ordinal),
                };
            }
        }
    }

    internal static int? ParseMountId(string fdInformation) =>
        int.TryParse(ProcText.FindField(fdInformation, "mnt_id"), out var id) ? id : null;

    /// <summary>Paths in <c>/proc/PID/maps</c>, each once.</summary>
    internal static IReadOnlyList<string> ParseMappedFiles(string maps)
    {
        HashSet<string> paths = [];
        foreach (var line in maps.AsSpan().EnumerateLines())
        {
            // address perms offset dev inode   path: the first slash begins it.
            var path = line.IndexOf('/');
            if (path > 0)
            {
                paths.Add(line[path..].ToString());
            }
        }

        return [.. paths];
    }

    /// <summary>In <c>/proc/PID/maps</c>, whose lines are in the order of their addresses.</summary>
    internal static bool IsFirstCodeShared(string maps)
    {
        foreach (var line in maps.AsSpan().EnumerateLines())
        {
            // address perms: rwxp, where s is shared
            var permissions = line[(line.IndexOf(' ') + 1)..];
            if (permissions.Length > 3 && permissions[2] == 'x')
            {
                return permissions[1] != 'w' && permissions[3] == 's';
            }
        }

        return false;
    }

    private static (uint Major, uint Minor, bool IsBlock)? ReadDevice(string link)
    {
        try
        {
            return FileIdentity.Read(link) is { } file && (file.IsCharacterDevice || file.IsBlockDevice)
                ? (file.NodeMajor, file.NodeMinor, file.IsBlockDevice)
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string? ReadLink(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // net/socket.c: the name of the socket's struct proto.
    private static unsafe string? ReadSocketProtocol(string link)
    {
        Span<byte> name = stackalloc byte[64];
        fixed (byte* bytes = name)
        {
            var length = GetExtendedAttribute(link, "system.sockprotoname", bytes, (nuint)name.Length);
            return length > 0 ? Encoding.ASCII.GetString(name[..(int)length].TrimEnd((byte)0)) : null;
        }
    }

    [LibraryImport("libc", EntryPoint = "getxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial nint GetExtendedAttribute(string path, string name, byte* value, nuint size);
}
