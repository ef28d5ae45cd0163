using System.Text.Json.Serialization;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KeptSet))]
internal sealed partial class KeptJson : JsonSerializerContext;
