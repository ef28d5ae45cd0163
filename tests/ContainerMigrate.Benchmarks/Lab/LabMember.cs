using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Lab;

/// <summary>A machine of the lab: commands run on it as root.</summary>
internal sealed class LabMember(string name)
{
    // The slowest tool takes about 40 s for each GiB.
    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(10);

    public string Name => name;

    /// <summary>Starts a command and returns while it runs.</summary>
    public LabProcess Start(params string[] command) => BenchmarkLab.Start("host", [name, .. command]);

    /// <summary>Runs a command to its end, whatever that is.</summary>
    public async Task<CommandResult> TryAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        await using var process = Start([.. command]);
        process.Input.Close();
        return await process.WaitAsync(LastResort).WaitAsync(cancellationToken);
    }

    /// <summary>Runs a command and returns its output without white space at its end.</summary>
    /// <exception cref="CommandFailedException">It ended with another status than 0.</exception>
    public async Task<string> RunAsync(IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        (await TryAsync(command, cancellationToken)).Checked().Text;

    /// <summary>Runs a script of the shell and returns its output.</summary>
    /// <exception cref="CommandFailedException">It ended with another status than 0.</exception>
    public Task<string> ShellAsync(string script, CancellationToken cancellationToken) => RunAsync(["sh", "-euc", script], cancellationToken);
}
