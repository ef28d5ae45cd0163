using System.Text.Json.Serialization;

namespace ContainerMigrate.Daemon.Peers.Pairing;

/// <summary>A member that is missing is an error; one that is not known is not, for newer hosts say more.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(PairOpenRequest))]
[JsonSerializable(typeof(PairOpenReply))]
[JsonSerializable(typeof(PairProveRequest))]
[JsonSerializable(typeof(PairProveReply))]
[JsonSerializable(typeof(PairRefused))]
internal sealed partial class PairingJson : JsonSerializerContext;
