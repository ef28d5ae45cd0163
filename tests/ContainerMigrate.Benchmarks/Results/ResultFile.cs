using System.Text.Json;

namespace ContainerMigrate.Benchmarks.Results;

/// <summary>bench.json: an array with one object a run.</summary>
internal static class ResultFile
{
    /// <summary>Writes it, and the folder it is in.</summary>
    public static async Task WriteAsync(string path, IReadOnlyList<BenchmarkRun> runs)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await using var file = File.Create(path);
        await JsonSerializer.SerializeAsync(file, runs, ResultJson.Default.IReadOnlyListBenchmarkRun);
    }
}
