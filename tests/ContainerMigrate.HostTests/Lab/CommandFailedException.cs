namespace ContainerMigrate.HostTests.Lab;

/// <summary>A command that a test cannot go on without has failed.</summary>
public sealed class CommandFailedException(CommandResult result)
    : Exception($"'{result.Command}' ended with status {result.ExitCode}\n{result.Error}{result.Output}")
{
    public CommandResult Result { get; } = result;
}
