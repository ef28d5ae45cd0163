using ContainerMigrate.Api;
using ContainerMigrate.Checks;

namespace ContainerMigrate.Cli.Evacuation;

/// <summary>What becomes of one container of a host that is being emptied.</summary>
/// <param name="Hosts">Where it can go, the best first; empty when it stays.</param>
/// <param name="Reason">Why it stays; empty when it goes.</param>
/// <param name="PredictedPauseMs">For the first of the hosts.</param>
internal sealed record PlannedMove(ContainerSummary Container, IReadOnlyList<string> Hosts, string Reason, double? PredictedPauseMs, bool Leave)
{
    /// <summary>It goes into a file of this host.</summary>
    public bool Save { get; init; }

    /// <summary>It is stopped, moved and started.</summary>
    public bool Offline => Container.Policy == EvacuationLabels.Offline;

    /// <summary>Something is done about it.</summary>
    public bool Goes => Save || Hosts.Count > 0;
}

/// <summary>Places containers: those of high priority and much memory first, each where most memory is left of the hosts that can take it.</summary>
internal static class EvacuationPlan
{
    /// <param name="reports">Of each container, by its id, what the check of each host said; a host that could not be asked is left out, with the reason in <paramref name="troubles"/>.</param>
    /// <param name="troubles">Of a container's id what kept it from being checked at all.</param>
    public static IReadOnlyList<PlannedMove> Make(
        IReadOnlyList<ContainerSummary> containers, IReadOnlyDictionary<string, IReadOnlyList<CheckReport>> reports, IReadOnlyDictionary<string, string> troubles)
    {
        var left = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var report in reports.Values.SelectMany(r => r))
        {
            left[report.Destination] = Math.Min(left.GetValueOrDefault(report.Destination, long.MaxValue), report.DestinationAvailableBytes);
        }

        var plan = new List<PlannedMove>();
        foreach (var container in containers.OrderByDescending(c => c.Priority).ThenByDescending(MemoryOf).ThenBy(c => c.Name, StringComparer.Ordinal))
        {
            plan.Add(Place(container));
        }

        return plan;

        long MemoryOf(ContainerSummary container) => reports.GetValueOrDefault(container.Id)?.Select(r => r.MemoryBytes).DefaultIfEmpty(0).Max() ?? 0;

        PlannedMove Place(ContainerSummary container)
        {
            if (container.Policy == EvacuationLabels.Leave)
            {
                return new PlannedMove(container, [], $"its label {EvacuationLabels.Policy} says so", null, Leave: true);
            }

            if (container.Policy == EvacuationLabels.Save)
            {
                return new PlannedMove(container, [], "", null, Leave: false) { Save = true };
            }

            if (container.Policy is not (EvacuationLabels.Live or EvacuationLabels.Offline))
            {
                return new PlannedMove(container, [], $"its label {EvacuationLabels.Policy} is '{container.Policy}'; {string.Join(", ", EvacuationLabels.Policies)} are supported", null, Leave: false);
            }

            var checks = reports.GetValueOrDefault(container.Id) ?? [];
            var memory = MemoryOf(container);
            var able = checks.Where(r => r.Ok && left[r.Destination] >= memory + HostComparison.SpareMemoryBytes).OrderByDescending(r => left[r.Destination]).ToList();
            if (able.Count > 0)
            {
                left[able[0].Destination] -= memory;
                return new PlannedMove(container, [.. able.Select(r => r.Destination)], "", able[0].PredictedPauseMs, Leave: false);
            }

            var reason = checks.Any(r => r.Ok) ? "no host has room for it beside the others"
                : checks.Count > 0 ? string.Join("; ", checks.Select(r => $"{r.Destination}: {FirstError(r)}").Distinct())
                : troubles.GetValueOrDefault(container.Id, "no host can be asked");
            return new PlannedMove(container, [], reason, null, Leave: false);
        }
    }

    private static string FirstError(CheckReport report) => report.Findings.FirstOrDefault(f => f.Severity == CheckSeverity.Error) is { } error ? $"{error.Check}: {error.Message}" : "refused";
}
