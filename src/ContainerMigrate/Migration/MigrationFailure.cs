namespace ContainerMigrate.Migration;

/// <summary>Why a migration ended without moving the container, in words an operator can act on.</summary>
/// <param name="Host">The host on which it failed.</param>
/// <param name="Stage">The stage of the handover (<c>check</c>, <c>reserve</c>, <c>dump</c>, <c>transfer</c>, <c>restore</c>, <c>commit</c>, ...).</param>
/// <param name="Cause">The reason; for CRIU the root line of its log.</param>
/// <param name="NextStep">What to do about it, or null.</param>
public sealed record MigrationFailure(string Host, string Stage, string Cause, string? NextStep = null)
{
    private const int NoSpace = 28; // ENOSPC: errors of files carry their errno as HResult, .NET's and ours

    /// <summary>What was to be sent could not be read, or what arrived not be written.</summary>
    /// <param name="host">The host on which that is; empty when whoever catches it adds it.</param>
    public static MigrationFailure OfTransfer(string host, Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new MigrationFailure(host, "transfer", error.Message, error.HResult == NoSpace ? "free disk there" : "its log says more: /var/log/ctmigrate/ctmigrated.log");
    }

    /// <inheritdoc/>
    public override string ToString() => NextStep is null ? $"{Host}: {Stage}: {Cause}" : $"{Host}: {Stage}: {Cause} ({NextStep})";
}
