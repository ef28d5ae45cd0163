namespace ContainerMigrate.Daemon.Faults;

/// <summary>What happens at a fault point.</summary>
/// <param name="Kind">Which of them.</param>
/// <param name="Duration">Of a <see cref="FaultKind.Delay"/>.</param>
/// <param name="File">Of a <see cref="FaultKind.Hold"/>: made when the point is reached; it is passed when the file is gone.</param>
internal sealed record FaultAction(FaultKind Kind, TimeSpan Duration = default, string File = "");

internal enum FaultKind
{
    /// <summary>SIGKILL to the daemon.</summary>
    Kill,

    /// <summary>The daemon stops in an orderly way, as on SIGTERM; the step goes on meanwhile.</summary>
    Exit,

    /// <summary>The step fails, as a full disk, a peer that does not answer, or a program that fails makes it fail.</summary>
    Error,

    /// <summary>The step takes longer; a call that is cancelled meanwhile ends so.</summary>
    Delay,

    /// <summary>As a delay, until a file is removed.</summary>
    Hold,
}
