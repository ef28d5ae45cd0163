using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>What came of asking a process for a userfaultfd.</summary>
internal sealed record UserFaultOutcome
{
    /// <summary>Ours alone: the process has closed its own.</summary>
    internal SafeFileHandle? Descriptor { get; init; }

    /// <summary>Why there is none.</summary>
    internal string? Refusal { get; init; }

    /// <summary>Asking again later may succeed.</summary>
    internal bool MayPass { get; init; }

    /// <summary>The process was frozen with the descriptor open: it has to be closed as soon as it runs.</summary>
    internal int? LeftOpen { get; init; }

    /// <summary>For how long the thread was stopped.</summary>
    internal TimeSpan Stopped { get; init; }

    internal static UserFaultOutcome Refused(string reason, bool mayPass = false) => new() { Refusal = reason, MayPass = mayPass };
}
