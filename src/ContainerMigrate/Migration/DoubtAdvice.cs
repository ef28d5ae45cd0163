using ContainerMigrate.Api;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Migration;

/// <summary>Says of a migration what decides where its container is, and what is left for an operator to decide.</summary>
public static class DoubtAdvice
{
    /// <param name="status">Of this host.</param>
    /// <param name="peer">What the other host has said just now; null when it did not answer.</param>
    /// <param name="leftBehind">Some of the container's memory is on the source alone.</param>
    /// <param name="isOverruled">On a destination: its copy is held.</param>
    public static (string Decides, IReadOnlyList<ResolveChoice> Choices) Of(MigrationStatus status, PeerJournal? peer, bool leftBehind, bool isOverruled)
    {
        ArgumentNullException.ThrowIfNull(status);
        var (container, source, destination) = (status.Container, status.Source, status.Destination);
        return status.Role == "source" ? OnSource() : OnDestination();

        (string, IReadOnlyList<ResolveChoice>) OnSource()
        {
            switch (status.Phase)
            {
                case MigrationPhase.Go or MigrationPhase.InDoubt:
                    break;
                case MigrationPhase.Aborted:
                    return ($"decided: {container} belongs to {source}", []);
                case MigrationPhase.Committed or MigrationPhase.Destroyed or MigrationPhase.Done:
                    return ($"decided: {container} belongs to {destination}", []);
                default:
                    return ($"nothing is in doubt: before GO {container} belongs to {source}, which takes it back whatever happens", []);
            }

            var keep = new ResolveChoice(Winners.Source, $"{container} goes on running on {source}. If {destination} runs it, or has, both copies use the same addresses and files until the two hosts reach each other again, "
                + $"and what was done on {destination} is lost: its copy is held still then. Be sure that {destination} is off or does not run it");
            var give = new ResolveChoice(Winners.Destination, $"{source} removes its copy of {container}; volumes stay. If {destination} does not run it, {container} is lost: be sure that it does");
            return peer?.State switch
            {
                null => ($"{destination} alone knows: if it has recorded Committed, {container} is its; if not, it gives up as soon as it can and says so. {source} asks it again and again, and keeps its copy frozen until then",
                    leftBehind ? [keep] : [keep, give]),
                { Phase: MigrationPhase.Aborted or MigrationPhase.New } => ($"{destination} has given up, so {container} belongs to {source}, which finds that out by itself in a moment", []),
                { Running: true } => ($"{destination} runs {container}, so it belongs there; {source} finds that out by itself in a moment", []),
                { Phase: MigrationPhase.Committed or MigrationPhase.Done } => ($"{destination} has committed, but does not run {container}: it can still start what it has rebuilt, or that is gone; its status says which", [keep]),
                { Phase: var phase } => ($"{destination} is at {phase} and decides as soon as it is asked", []),
            };
        }

        (string, IReadOnlyList<ResolveChoice>) OnDestination()
        {
            if (isOverruled)
            {
                return ($"decided by the operator of {source}: {container} belongs to {source}; the copy here is held still, and goes by itself once it is removed", []);
            }

            return status.Phase switch
            {
                MigrationPhase.Aborted => ($"decided: {container} belongs to {source}", []),
                MigrationPhase.Done => ($"decided: {container} belongs to {destination}", []),
                MigrationPhase.Committed when status.EndedAt is null && peer is null && !leftBehind => ($"decided: {container} belongs to {destination}; {source} has not been told yet, and keeps its copy frozen until it is",
                    [new ResolveChoice(Winners.Destination, $"{container} can be moved on before {source} answers. Should the operator of {source} have decided for {source} meanwhile, the copy here is held still when the two hosts reach each other again")]),
                MigrationPhase.Committed => ($"decided: {container} belongs to {destination}", []),
                _ => ($"{container} belongs to {source}; {destination} gives its copy up when it hears nothing from there", []),
            };
        }
    }
}
