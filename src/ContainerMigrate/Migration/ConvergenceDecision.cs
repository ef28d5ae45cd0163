namespace ContainerMigrate.Migration;

/// <param name="Reason">For the operator, in one clause.</param>
public readonly record struct ConvergenceDecision(ConvergenceStep Step, string Reason);

public enum ConvergenceStep
{
    /// <summary>Send what is dirty while the container runs, and look again.</summary>
    CopyAgain,

    /// <summary>Freeze it now.</summary>
    SwitchOver,

    /// <summary>More rounds of the same kind will not help; the operator's <c>--on-stall</c> says what then.</summary>
    Stalled,
}
