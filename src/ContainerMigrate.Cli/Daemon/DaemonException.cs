using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Daemon;

/// <summary>The daemon said no, or could not be asked.</summary>
internal sealed class DaemonException : Exception
{
    public DaemonException(string message, int exitCode, MigrationFailure? failure = null, string? nextStep = null, Exception? innerException = null)
        : base(message, innerException)
    {
        ExitCode = exitCode;
        Failure = failure;
        NextStep = failure?.NextStep ?? nextStep;
    }

    /// <summary>One of <see cref="Api.ExitCodes"/>.</summary>
    public int ExitCode { get; }

    public MigrationFailure? Failure { get; }

    public string? NextStep { get; }
}
