using ContainerMigrate.Benchmarks.Contenders;
using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.Benchmarks.Lab;

/// <summary>A lab of the benchmark's own. Disposing takes it down, whatever state it is in.</summary>
/// <param name="installTree">What `make install DESTDIR=installTree` made; both hosts get it.</param>
internal sealed class BenchmarkLab(string installTree) : IAsyncDisposable
{
    public const string Prefix = "ctmbench";

    /// <summary>Where tests/lab/bundle puts the container of plain runc.</summary>
    public const string Bundle = $"/var/lib/bundles/{Workload.Container}";

    /// <summary>Undoes tests/lab/bundle, whatever of it is there.</summary>
    public const string RemoveBundle =
        $"runc delete -f {Workload.Container} 2>/dev/null || true; [ ! -e /run/netns/{Workload.Container} ] || ip netns del {Workload.Container}; rm -rf {Bundle} /var/lib/ctmigrate/bundles/*";

    private static readonly string Repository = FindRepository();

    // Its first start on a machine builds the hosts' roots.
    private static readonly TimeSpan RaisesWithin = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan GoesWithin = TimeSpan.FromMinutes(3);

    public LabMember H1 { get; } = new("h1");

    public LabMember H2 { get; } = new("h2");

    public LabMember Client { get; } = new("client");

    public static string InRepository(params string[] path) => Path.Combine([Repository, .. path]);

    /// <summary>A program of tests/lab, for the benchmark's lab.</summary>
    public static LabProcess Start(string program, params string[] arguments) =>
        new(InRepository("tests", "lab", program), arguments, Environment);

    /// <summary>
    /// Raises it with Docker 26, since `start --checkpoint` of 28 works for no container with a network namespace of its own, and with
    /// dockerd's experimental features, which `docker checkpoint` is one of.
    /// </summary>
    public async Task RaiseAsync(CancellationToken cancellationToken)
    {
        Console.Error.WriteLine("bench: raising two hosts with Docker 26, and a client");
        await TakeDownAsync();
        await LabAsync(RaisesWithin, cancellationToken, "up", "--docker", "26", "--experimental", "--podman", "--images", "h1:small,h2:small");
        await LabAsync(RaisesWithin, cancellationToken, "deploy", installTree);
    }

    /// <summary>Makes a container of plain runc, by tests/lab/bundle.</summary>
    /// <param name="host">Where.</param>
    /// <param name="workload">What it runs.</param>
    /// <param name="start">False: everything but the container, ready for a restore.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public static async Task BundleAsync(LabMember host, Workload workload, bool start, CancellationToken cancellationToken)
    {
        await using var process = Start("bundle", [.. start ? Array.Empty<string>() : ["--prepare"], host.Name, Workload.Container, .. workload.Environment]);
        process.Input.Close();
        (await process.WaitAsync(TimeSpan.FromMinutes(1)).WaitAsync(cancellationToken)).Checked();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await TakeDownAsync();

    /// <summary>Names the lab for the programs of tests/lab.</summary>
    public static IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string> { ["CTM_LAB"] = Prefix };

    private static async Task LabAsync(TimeSpan timeout, CancellationToken cancellationToken, params string[] command)
    {
        await using var process = Start("lab", command);
        process.Input.Close();
        try
        {
            (await process.WaitAsync(timeout).WaitAsync(cancellationToken)).Checked();
        }
        catch (OperationCanceledException)
        {
            // Stopped half-way it takes down what stands.
            process.Terminate();
            await process.WaitAsync(GoesWithin);
            throw;
        }
    }

    private static async Task TakeDownAsync()
    {
        // A session of its own: Ctrl-C at the terminal must not end it as well.
        await using var process = new LabProcess("setsid", ["--wait", InRepository("tests", "lab", "lab"), "down"], Environment);
        process.Input.Close();
        (await process.WaitAsync(GoesWithin)).Checked();
    }

    private static string FindRepository()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "ContainerMigrate.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no ContainerMigrate.sln above {AppContext.BaseDirectory}");
    }
}
