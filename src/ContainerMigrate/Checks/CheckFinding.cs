namespace ContainerMigrate.Checks;

/// <summary>How much a finding weighs.</summary>
public enum CheckSeverity
{
    /// <summary>Worth knowing; nothing is refused.</summary>
    Information,

    /// <summary>The move will work but something will differ.</summary>
    Warning,

    /// <summary>The move is refused unless the check is skipped by name.</summary>
    Error,
}

/// <summary>One thing that a check found.</summary>
/// <param name="Check">Name of the check, one of <see cref="CheckNames"/>; what <c>--skip</c> takes.</param>
/// <param name="Severity">What follows from it.</param>
/// <param name="Host">The host it was seen on.</param>
/// <param name="Message">What is wrong, in words an operator can act on; one line.</param>
/// <param name="Hint">The next step, or null.</param>
public sealed record CheckFinding(string Check, CheckSeverity Severity, string Host, string Message, string? Hint = null);
