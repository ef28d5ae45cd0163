namespace ContainerMigrate.Migration;

/// <summary>Why a migration ended without moving the container, in words an operator can act on.</summary>
/// <param name="Host">The host on which it failed.</param>
/// <param name="Stage">The stage of the handover (<c>check</c>, <c>reserve</c>, <c>dump</c>, <c>transfer</c>, <c>restore</c>, <c>commit</c>, ...).</param>
/// <param name="Cause">The reason; for CRIU the root line of its log.</param>
/// <param name="NextStep">What to do about it, or null.</param>
public sealed record MigrationFailure(string Host, string Stage, string Cause, string? NextStep = null)
{
    /// <inheritdoc/>
    public override string ToString() => NextStep is null ? $"{Host}: {Stage}: {Cause}" : $"{Host}: {Stage}: {Cause} ({NextStep})";
}
