namespace ContainerMigrate.Api;

/// <summary>Exit codes of <c>ctmigrate</c>; the daemon names them in its errors so that both agree.</summary>
public static class ExitCodes
{
    public const int Done = 0;
    public const int Usage = 2;

    /// <summary>Not a verdict about a migration: the daemon could not be asked.</summary>
    public const int DaemonUnreachable = 3;
    public const int Refused = 10;
    public const int DryRunFoundProblems = 11;

    /// <summary>The migration failed and the container runs on the source.</summary>
    public const int FailedSourceRunning = 20;
    public const int Cancelled = 21;
    public const int InDoubt = 30;
    public const int PostCopyPaused = 31;
    public const int Lost = 40;
    public const int EvacuationPartial = 50;
}
