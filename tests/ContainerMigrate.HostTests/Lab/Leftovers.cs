using System.Text.RegularExpressions;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// What is on a host: mounts, namespaces, links, nft tables, cgroups, processes, our own state, containers and images, one line
/// each (tests/lab/leftovers). The journals of migrations and CRIU's logs beside them are history, and stay on purpose; so do the empty places where
/// runc's containers and their namespaces go, the list of containers that are not to be returned, and the place where an evacuation saves containers.
/// </summary>
public sealed partial class Leftovers
{
    private readonly IReadOnlyList<string> _lines;

    private Leftovers(IReadOnlyList<string> lines) => _lines = lines;

    public static Leftovers Parse(IEnumerable<string> lines) => new([.. lines.Where(l => !History().IsMatch(l))]);

    /// <summary>Lines that are here and not there, and the other way round; empty when both are the same.</summary>
    public IReadOnlyList<string> DifferenceTo(Leftovers before)
    {
        ArgumentNullException.ThrowIfNull(before);
        return [.. Missing(_lines, before._lines).Select(l => "+ " + l), .. Missing(before._lines, _lines).Select(l => "- " + l)];
    }

    // A line may be there more than once: one for each process of that name.
    private static IEnumerable<string> Missing(IEnumerable<string> from, IEnumerable<string> other)
    {
        var counts = other.CountBy(l => l).ToDictionary();
        foreach (var line in from)
        {
            if (counts.TryGetValue(line, out var count) && count > 0)
            {
                counts[line] = count - 1;
            }
            else
            {
                yield return line;
            }
        }
    }

    [GeneratedRegex(@"^(state /var/lib/ctmigrate/(migrations/[^/]+(/journal|/work|/work/[^/]+)?|criu-home(/.*)?|bundles|evacuated-gone|saved)|mount /run/netns)$")]
    private static partial Regex History();
}
