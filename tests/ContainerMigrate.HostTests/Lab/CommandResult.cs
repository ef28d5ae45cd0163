namespace ContainerMigrate.HostTests.Lab;

/// <summary>What a command on a member of the lab has ended with.</summary>
/// <param name="Command">The command line, for messages.</param>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="Output">Standard output as it came.</param>
/// <param name="Error">Standard error as it came.</param>
public sealed record CommandResult(string Command, int ExitCode, string Output, string Error)
{
    /// <summary>Standard output without white space at its end.</summary>
    public string Text => Output.TrimEnd();

    /// <summary>The lines of standard output that are not empty.</summary>
    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The lines of standard error that are not empty.</summary>
    public IReadOnlyList<string> ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <exception cref="CommandFailedException">It ended with another status than 0.</exception>
    public CommandResult Checked() => ExitCode == 0 ? this : throw new CommandFailedException(this);
}
