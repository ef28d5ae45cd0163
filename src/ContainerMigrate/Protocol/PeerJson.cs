using System.Text.Json.Serialization;

namespace ContainerMigrate.Protocol;

/// <summary>JSON of the host-to-host control messages.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    MaxDepth = 64)]
[JsonSerializable(typeof(PeerCheckRequest))]
[JsonSerializable(typeof(PeerCheckReply))]
[JsonSerializable(typeof(ReserveRequest))]
[JsonSerializable(typeof(ReserveReply))]
[JsonSerializable(typeof(StreamReply))]
[JsonSerializable(typeof(PrepareRequest))]
[JsonSerializable(typeof(PrepareReply))]
[JsonSerializable(typeof(GoRequest))]
[JsonSerializable(typeof(AbortRequest))]
[JsonSerializable(typeof(PeerState))]
[JsonSerializable(typeof(PeerJournal))]
[JsonSerializable(typeof(PeerError))]
public sealed partial class PeerJson : JsonSerializerContext;
