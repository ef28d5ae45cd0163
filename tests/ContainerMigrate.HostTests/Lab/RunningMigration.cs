using System.Text.Json.Nodes;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>A migration under way, followed by the lines of `ctmigrate migrate --json`.</summary>
public sealed class RunningMigration : IAsyncDisposable
{
    private static readonly TimeSpan EndsWithin = TimeSpan.FromMinutes(8);

    private readonly LabHost _source;
    private readonly LabProcess _process;

    private RunningMigration(LabHost source, LabProcess process)
    {
        _source = source;
        _process = process;
    }

    /// <summary>Identifier that the source's daemon gave it.</summary>
    public string Id { get; private set; } = "";

    /// <summary>Starts it, and returns when the daemon has begun.</summary>
    public static async Task<RunningMigration> StartAsync(LabHost source, string container, LabHost destination, params string[] options)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        var process = source.Start(["ctmigrate", "migrate", container, destination.Name, "--json", .. options]);
        process.Input.Close();
        var migration = new RunningMigration(source, process);
        migration.Id = Field(await process.WaitForOutputAsync(l => Field(l, "id") != ""), "id");
        return migration;
    }

    /// <summary>Returns when a line says that it is in a stage.</summary>
    public Task ReachesAsync(MigrationStage stage) => stage switch
    {
        MigrationStage.PreCopy => _process.WaitForOutputAsync(l => Field(l, "activity") == "trying the connection"),
        MigrationStage.PostCopy => _process.WaitForOutputAsync(l => Field(l, "activity").StartsWith("post-copy: runs on", StringComparison.Ordinal)),
        _ => _process.WaitForOutputAsync(l => Field(l, "phase") == "Frozen"),
    };

    /// <summary>Returns when files are on the way.</summary>
    public Task SendsFilesAsync() => _process.WaitForOutputAsync(l => Field(l, "activity").StartsWith("sending files", StringComparison.Ordinal) && JsonNode.Parse(l)!["sent_bytes"]?.GetValue<long>() > 0, TimeSpan.FromSeconds(30));

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => _process.Interrupt();

    /// <summary>Waits for its end.</summary>
    /// <exception cref="TimeoutException">It goes on and on.</exception>
    public async Task<MigrationOutcome> EndAsync()
    {
        var outcome = new MigrationOutcome(await _process.WaitAsync(EndsWithin));
        Measured.Write($"{_source.Name}: {outcome.Summary}");
        return outcome;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    /// <summary>A text of one line of `--json`; empty when it is not there, or the line is none.</summary>
    public static string Field(string line, string name) =>
        line.StartsWith('{') && line.EndsWith('}') ? JsonNode.Parse(line)![name]?.GetValue<string>() ?? "" : "";
}
