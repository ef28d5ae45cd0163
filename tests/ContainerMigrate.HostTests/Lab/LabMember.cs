namespace ContainerMigrate.HostTests.Lab;

/// <summary>A machine of the lab: commands run on it as root.</summary>
public class LabMember(string name)
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(3);

    public string Name => name;

    /// <summary>Starts a command and returns while it runs.</summary>
    public LabProcess Start(params string[] command) => new(LabFixture.Program("host"), [name, .. command]);

    /// <summary>Runs a command to its end, whatever that is.</summary>
    public async Task<CommandResult> TryAsync(IReadOnlyList<string> command, TimeSpan? timeout = null, string? input = null)
    {
        await using var process = Start([.. command]);
        if (input is not null)
        {
            await process.Input.WriteAsync(input);
        }

        process.Input.Close();
        return await process.WaitAsync(timeout ?? DefaultTimeout);
    }

    /// <inheritdoc cref="TryAsync(IReadOnlyList{string}, TimeSpan?, string?)"/>
    public Task<CommandResult> TryAsync(params string[] command) => TryAsync(command, null);

    /// <summary>Runs a command and returns its output.</summary>
    /// <exception cref="CommandFailedException">It ended with another status than 0.</exception>
    public async Task<string> RunAsync(params string[] command) => (await TryAsync(command)).Checked().Text;

    /// <summary>Runs a script of the shell and returns its output.</summary>
    /// <exception cref="CommandFailedException">It ended with another status than 0.</exception>
    public Task<string> ShellAsync(string script) => RunAsync("sh", "-euc", script);
}
