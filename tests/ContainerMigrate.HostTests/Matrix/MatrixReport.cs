namespace ContainerMigrate.HostTests.Matrix;

/// <summary>artifacts/crash-matrix.md: what became of each cell, written anew whenever one is known.</summary>
public static class MatrixReport
{
    private static readonly Dictionary<(Moment, Fault), string> Outcomes = [];

    private static string File { get; } = Path.Combine(FindRoot(), "artifacts", "crash-matrix.md");

    public static void Set(Moment moment, Fault fault, string outcome)
    {
        Outcomes[(moment, fault)] = outcome;
        System.IO.File.WriteAllText(File, Write());
    }

    private static string Write()
    {
        var docker = Environment.GetEnvironmentVariable("CTM_LAB_DOCKER") ?? "26";
        var lines = new List<string>
        {
            "# What becomes of a migration, whatever happens when",
            "",
            $"Written by `CrashMatrixTests` at {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, Docker {docker}, {Outcomes.Count} of {Moment.All.Count * Fault.All.Count} cells{(MatrixShare.IsWhole ? "" : "; the short form: `make matrix` runs the rest")}.",
            "The migration is held at the moment of a row, the fault is made to happen, and it is let go on. In a cell: who has the container in the end and what `ctmigrate migrate` ended with.",
            "`n/a`: there is nothing to be killed or filled at that moment. `not run`: not in this run. This kernel has no sch_netem where a link is slow by nft.",
            "",
        };
        foreach (var moment in Moment.All)
        {
            lines.Add($"## {moment.Name} ({(moment.AtDestination ? "destination" : "source")} at `{moment.Point}`{(moment.InCriu ? ", then in CRIU" : "")})");
            lines.Add("");
            lines.Add("| fault | outcome |");
            lines.Add("|---|---|");
            lines.AddRange(Fault.All.Select(f => $"| {f.Name} | {Outcomes.GetValueOrDefault((moment, f), "not run").Replace("|", "\\|", StringComparison.Ordinal)} |"));
            lines.Add("");
        }

        return string.Join('\n', lines);
    }

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(directory.FullName, "ContainerMigrate.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no ContainerMigrate.sln above {AppContext.BaseDirectory}");
    }
}
