using System.Globalization;

namespace ContainerMigrate.Linux.Host;

/// <summary>A process's mounts, from <c>/proc/PID/mountinfo</c> (proc(5)).</summary>
internal sealed record MountTable(IReadOnlySet<int> Ids, bool HasOverlayRoot)
{
    internal static MountTable Parse(string mountInformation)
    {
        // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
        HashSet<int> ids = [];
        var overlay = false;
        foreach (var line in mountInformation.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split(' ');
            if (int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                ids.Add(id);
            }

            if (words.Length > 4 && words[4] == "/" && Array.IndexOf(words, "-", 5) is > 0 and var separator && separator + 1 < words.Length)
            {
                overlay = words[separator + 1] == "overlay";
            }
        }

        return new MountTable(ids, overlay);
    }
}
