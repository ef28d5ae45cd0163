using ContainerMigrate.Migration;

namespace ContainerMigrate.Api;

/// <summary>Words for the host that is to keep a container: <c>POST /v1/migrations/ID/resolve</c>.</summary>
public static class Winners
{
    public const string Source = "source";
    public const string Destination = "destination";

    public static IReadOnlyList<string> All { get; } = [Source, Destination];
}

/// <summary><c>POST /v1/migrations/ID/resolve</c></summary>
/// <param name="Winner">One of <see cref="Winners"/>.</param>
public sealed record ResolveRequest(string Winner);

/// <summary><c>GET /v1/migrations/ID/journals</c>: what both hosts have recorded, and what follows from it.</summary>
public sealed record JournalsReport
{
    public required MigrationStatus Status { get; init; }

    public required JournalView Source { get; init; }

    public required JournalView Destination { get; init; }

    /// <summary>Who or what decides where the container is, in one sentence.</summary>
    public string Decides { get; init => field = value ?? ""; } = "";

    /// <summary>What an operator of this host may decide, and what each choice risks; empty when there is nothing to decide.</summary>
    public IReadOnlyList<ResolveChoice> Choices { get; init => field = value ?? []; } = [];
}

/// <param name="Winner">One of <see cref="Winners"/>.</param>
/// <param name="Risk">What is lost, or doubled, should the operator be mistaken.</param>
public sealed record ResolveChoice(string Winner, string Risk);

/// <summary>One host's journal of a migration.</summary>
public sealed record JournalView
{
    public required string Host { get; init; }

    /// <summary>Why it cannot be shown; empty when it is here.</summary>
    public string Missing { get; init => field = value ?? ""; } = "";

    public IReadOnlyList<JournalLine> Lines { get; init => field = value ?? []; } = [];

    /// <summary>Nothing is left to finish or to undo there.</summary>
    public bool IsClosed { get; init; }
}

/// <summary>One record.</summary>
/// <param name="Note">What it says beside its phase, in a few words; may be empty.</param>
public sealed record JournalLine(MigrationPhase Phase, int Epoch, DateTimeOffset At, string Note = "");
