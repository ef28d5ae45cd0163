namespace ContainerMigrate.Api;

/// <summary>A container that runs on this host, and what its labels say of an evacuation.</summary>
/// <param name="Runtime"><c>docker</c> or <c>runc</c>.</param>
/// <param name="Policy">One of <see cref="EvacuationLabels.Policies"/>.</param>
/// <param name="Priority">Higher goes first.</param>
/// <param name="Target">Name of the only host that it may go to; null for any.</param>
public sealed record ContainerSummary(string Id, string Name, string Runtime, string Policy, int Priority, string? Target = null);

/// <summary><c>GET /v1/containers</c></summary>
public sealed record ContainerList(IReadOnlyList<ContainerSummary> Containers);

/// <summary>A container that an evacuation has moved, and that has not come back.</summary>
/// <param name="MigrationId">The migration that moved it.</param>
/// <param name="Host">Where it went; the path of the file where it was saved.</param>
public sealed record EvacuatedContainer(string MigrationId, string Name, string Runtime, string Host)
{
    /// <summary>Stage of the failure to bring back what is not on its host any more.</summary>
    public const string Gone = "gone";
}

/// <summary><c>GET /v1/evacuated</c></summary>
public sealed record EvacuatedList(IReadOnlyList<EvacuatedContainer> Containers);

/// <summary>What a container's labels (Docker) or annotations (runc) say of an evacuation.</summary>
public static class EvacuationLabels
{
    public const string Policy = "io.ctmigrate.evacuate";
    public const string Priority = "io.ctmigrate.evacuate.priority";
    public const string Target = "io.ctmigrate.evacuate.target";

    public const string Live = "live";

    /// <summary>Stopped, moved, started.</summary>
    public const string Offline = "offline";

    /// <summary>Into a file of this host, of which <c>ctmigrate return</c> restores it.</summary>
    public const string Save = "save";

    public const string Leave = "leave";

    /// <summary>Every policy; <c>live</c> is the default.</summary>
    public static IReadOnlyList<string> Policies { get; } = [Live, Offline, Save, Leave];
}
