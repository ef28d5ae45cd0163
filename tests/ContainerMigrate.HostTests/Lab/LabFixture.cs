using ContainerMigrate.HostTests.Lab;

[assembly: AssemblyFixture(typeof(LabFixture))]
// All tests share the two hosts, and each compares what is on them before and after.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// The lab that tests/run has raised: CTM_LAB names it, CTM_LAB_DOCKER says its version of Docker. Both hosts have ContainerMigrate
/// running and are paired.
/// </summary>
public sealed class LabFixture : IAsyncLifetime
{
    private static readonly string Directory = FindDirectory();

    public LabHost H1 { get; } = new("h1");

    public LabHost H2 { get; } = new("h2");

    public LabMember Client { get; } = new("client");

    public IReadOnlyList<LabHost> Hosts => [H1, H2];

    /// <summary>A program of tests/lab.</summary>
    public static string Program(string name) => Path.Combine(Directory, name);

    /// <summary>Path of a file that is kept after the run, in the folder for what is built.</summary>
    public static string Artifact(string name)
    {
        var directory = Path.GetFullPath(Path.Combine(Directory, "..", "..", "artifacts"));
        System.IO.Directory.CreateDirectory(directory);
        return Path.Combine(directory, name);
    }

    /// <summary>`tests/lab/lab COMMAND...` for this lab.</summary>
    public static async Task<string> LabAsync(params string[] command)
    {
        await using var process = new LabProcess(Program("lab"), command);
        process.Input.Close();
        return (await process.WaitAsync(TimeSpan.FromMinutes(10))).Checked().Output;
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        await LabAsync("status");
        foreach (var host in Hosts)
        {
            await host.DaemonAsync("status");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string FindDirectory()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "ContainerMigrate.sln")))
            {
                return Path.Combine(directory.FullName, "tests", "lab");
            }
        }

        throw new DirectoryNotFoundException($"no ContainerMigrate.sln above {AppContext.BaseDirectory}");
    }
}
