using System.Text.Json.Serialization;

namespace ContainerMigrate.Benchmarks.Results;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<BenchmarkRun>))]
internal sealed partial class ResultJson : JsonSerializerContext;
