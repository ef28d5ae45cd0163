using ContainerMigrate.Saving;

namespace ContainerMigrate.Api;

/// <summary><c>POST /v1/saves</c>: puts a container into a file. Answered like a migration.</summary>
public sealed record SaveRequest
{
    public required string Container { get; init; }

    /// <summary>Absolute path on this host; there must be nothing yet. Empty, and only with <see cref="Evacuation"/>: the daemon's own place for that.</summary>
    public string File { get; init => field = value ?? ""; } = "";

    /// <summary>The container goes on running; otherwise it is removed once the file is durable, as a migration removes it.</summary>
    public bool LeaveRunning { get; init; }

    /// <summary>The image goes into the file, too.</summary>
    public bool WithImage { get; init; }

    /// <summary>Null leaves the file readable for whoever may open it.</summary>
    public SavedSecret? Secret { get; init; }

    /// <summary>The host is being emptied: <c>ctmigrate return</c> restores the container.</summary>
    public bool Evacuation { get; init; }

    public IReadOnlyList<string> Skip { get; init => field = value ?? []; } = [];

    /// <inheritdoc cref="MigrateRequest.Volumes"/>
    public IReadOnlyList<string> Volumes { get; init => field = value ?? []; } = [];

    /// <inheritdoc cref="MigrateRequest.KeepVolumes"/>
    public bool KeepVolumes { get; init; }

    /// <inheritdoc cref="MigrateRequest.DeadlineSeconds"/>
    public double? DeadlineSeconds { get; init; }
}

/// <summary><c>POST /v1/restores</c>: makes a container of a file. Answered, once the file is found to be whole, like a migration.</summary>
public sealed record RestoreRequest
{
    /// <summary>Absolute path on this host.</summary>
    public required string File { get; init; }

    /// <summary>What the container is to be called; null: as it was.</summary>
    public string? Name { get; init; }

    /// <inheritdoc cref="SaveRequest.Secret"/>
    public SavedSecret? Secret { get; init; }

    public IReadOnlyList<string> Skip { get; init => field = value ?? []; } = [];
}
