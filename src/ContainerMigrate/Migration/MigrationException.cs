namespace ContainerMigrate.Migration;

/// <summary>Carries a <see cref="MigrationFailure"/> from the step that failed to the session that answers for it.</summary>
public sealed class MigrationException : Exception
{
    public MigrationException(MigrationFailure failure, Exception? innerException = null)
        : base(failure?.ToString(), innerException)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Failure = failure;
    }

    /// <summary>Thrown by adapters, which do not know the host's name: <paramref name="stage"/> and <paramref name="cause"/>; the session adds the host.</summary>
    public MigrationException(string stage, string cause, string? nextStep = null, Exception? innerException = null)
        : this(new MigrationFailure("", stage, cause, nextStep), innerException)
    {
    }

    public MigrationFailure Failure { get; }
}
