using System.Diagnostics.CodeAnalysis;
using ContainerMigrate.Benchmarks.Lab;

namespace ContainerMigrate.Benchmarks;

/// <summary>The command line.</summary>
internal sealed record BenchmarkOptions
{
    public const string Usage = """
        usage: ContainerMigrate.Benchmarks [--quick | --memory MIB | --transport | --prediction | --tracking | --files] [--runs N] [--tree DIR] [--output FILE]

          --quick        the rows of 256 MiB, as many runs as fit into about 3 minutes
          --memory MIB   the rows of that size (64, 256, 1024, 4096), and nothing else
          --transport    pre-copy beside one plain TLS stream, and nothing else
          --prediction   predicted and measured pauses of 4 + N migrations, and nothing else
          --tracking     what a program loses while its memory is tracked, and nothing else
          --files        a volume's first copy beside rsync and tar, and nothing else
          --large MIB    its large file, 16 to 65536 (1024)
          --small N      number of its small files, 1 to 1000000 (200000)
          --runs N       runs of each row, 1 to 99 (3); a row's median is shown
          --tree DIR     what `make install DESTDIR=DIR` made (artifacts/install)
          --output FILE  artifacts/bench.json
        """;

    public bool Quick { get; init; }

    /// <summary>Only rows of this size, in MiB; null: of all.</summary>
    public int? MemoryMib { get; init; }

    /// <summary>Only how fast memory is moved.</summary>
    public bool Transport { get; init; }

    /// <summary>Only how well pauses are predicted.</summary>
    public bool Prediction { get; init; }

    /// <summary>Only what tracking costs.</summary>
    public bool Tracking { get; init; }

    /// <summary>Only how fast files are moved.</summary>
    public bool Files { get; init; }

    /// <summary>Size of the one large file, in MiB.</summary>
    public int LargeFileMib { get; init; } = 1024;

    /// <summary>Number of small files.</summary>
    public int SmallFiles { get; init; } = 200_000;

    /// <summary>Runs of each row, 1 to 99.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>The tree that is put on both hosts.</summary>
    public string InstallTree { get; init; } = BenchmarkLab.InRepository("artifacts", "install");

    public string ResultPath { get; init; } = BenchmarkLab.InRepository("artifacts", "bench.json");

    /// <summary>False, with the reason, when the arguments are not right.</summary>
    public static bool TryParse(IReadOnlyList<string> arguments, out BenchmarkOptions options, [NotNullWhen(false)] out string? error)
    {
        options = new BenchmarkOptions();
        error = null;
        for (var i = 0; i < arguments.Count && error is null; i++)
        {
            var value = i + 1 < arguments.Count ? arguments[i + 1] : null;
            switch (arguments[i])
            {
                case "--quick":
                    options = options with { Quick = true };
                    continue;
                case "--transport":
                    options = options with { Transport = true };
                    continue;
                case "--tracking":
                    options = options with { Tracking = true };
                    continue;
                case "--prediction":
                    options = options with { Prediction = true };
                    continue;
                case "--files":
                    options = options with { Files = true };
                    continue;
                case "--large" when int.TryParse(value, out var large) && large is >= 16 and <= 65536:
                    options = options with { LargeFileMib = large };
                    break;
                case "--small" when int.TryParse(value, out var small) && small is >= 1 and <= 1_000_000:
                    options = options with { SmallFiles = small };
                    break;
                case "--memory" when int.TryParse(value, out var memory) && BenchmarkPlan.Full(1).Rows.Any(r => r.MemoryMib == memory):
                    options = options with { MemoryMib = memory };
                    break;
                case "--runs" when int.TryParse(value, out var runs) && runs is >= 1 and <= 99:
                    options = options with { Runs = runs };
                    break;
                case "--tree" when value is not null:
                    options = options with { InstallTree = Path.GetFullPath(value) };
                    break;
                case "--output" when value is not null:
                    options = options with { ResultPath = Path.GetFullPath(value) };
                    break;
                default:
                    error = $"'{arguments[i]}' is no option, or its value is missing or out of range";
                    break;
            }

            i++;
        }

        return error is null;
    }
}
