using System.Text.Json.Serialization;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>A member that is missing is an error; one that is not known is not, for newer hosts say more.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(PeerHello))]
internal sealed partial class PeerHelloJson : JsonSerializerContext;
