using System.Text.Json.Serialization;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Journal;

/// <summary>JSON of journal records and of the values inside them.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    MaxDepth = 64)]
[JsonSerializable(typeof(JournalRecord))]
[JsonSerializable(typeof(ContainerManifest))]
[JsonSerializable(typeof(MigrationFailure))]
[JsonSerializable(typeof(MigrationResult))]
[JsonSerializable(typeof(MigrationStatus))]
[JsonSerializable(typeof(IReadOnlyList<DirectoryClaim>))]
[JsonSerializable(typeof(List<LeftProcess>))]
public sealed partial class JournalJson : JsonSerializerContext;
