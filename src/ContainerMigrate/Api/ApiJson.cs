using System.Text.Json.Serialization;

namespace ContainerMigrate.Api;

/// <summary>
/// JSON of the local HTTP API: snake_case names, enumerations as text, nothing for null.
/// Generated deserializers set every <c>init</c> property, to null where the JSON leaves it out; property initializers are
/// lost. The types therefore put their defaults into the accessor: <c>init => field = value ?? ...</c>. For the same reason a
/// constructor parameter that may be null has a default: null is left out when written, and what has no default must be there.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DictionaryKeyPolicy = JsonKnownNamingPolicy.Unspecified,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    MaxDepth = 32)]
[JsonSerializable(typeof(CheckRequest))]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(Checks.CheckFinding))]
[JsonSerializable(typeof(MigrateRequest))]
[JsonSerializable(typeof(MigrationStatus))]
[JsonSerializable(typeof(MigrationAccepted))]
[JsonSerializable(typeof(MigrationList))]
[JsonSerializable(typeof(ContainerList))]
[JsonSerializable(typeof(EvacuatedList))]
[JsonSerializable(typeof(ResolveRequest))]
[JsonSerializable(typeof(JournalsReport))]
[JsonSerializable(typeof(SaveRequest))]
[JsonSerializable(typeof(RestoreRequest))]
[JsonSerializable(typeof(ApiError))]
[JsonSerializable(typeof(VersionReport))]
[JsonSerializable(typeof(HostsReport))]
[JsonSerializable(typeof(HostStatus))]
[JsonSerializable(typeof(PairingCode))]
[JsonSerializable(typeof(PairRequest))]
[JsonSerializable(typeof(PairReply))]
[JsonSerializable(typeof(AnnounceRequest))]
[JsonSerializable(typeof(AnnounceReply))]
[JsonSerializable(typeof(DoctorReport))]
public sealed partial class ApiJson : JsonSerializerContext;
