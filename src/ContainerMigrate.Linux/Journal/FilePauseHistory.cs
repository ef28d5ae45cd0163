using System.Text.Json;
using System.Text.Json.Serialization;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Journal;

/// <summary><c>pauses/PEER.RUNTIME.json</c> below the state directory: the last <see cref="Kept"/> pauses, as a JSON array.</summary>
public sealed partial class FilePauseHistory(string stateDirectory, ILogger<FilePauseHistory> logger) : IPauseHistory
{
    /// <summary>Pauses in a file.</summary>
    public const int Kept = 32;

    private const int MaxFileBytes = 256 << 10;

    private readonly string _directory = Path.Combine(stateDirectory, "pauses");
    private readonly Lock _lock = new();

    /// <inheritdoc/>
    public IReadOnlyList<PauseSample> Read(string peer, string runtime)
    {
        var path = PathOf(peer, runtime);
        try
        {
            lock (_lock)
            {
                if (!File.Exists(path))
                {
                    return [];
                }

                if (new FileInfo(path).Length > MaxFileBytes)
                {
                    throw new JsonException($"it is larger than {MaxFileBytes} bytes");
                }

                var samples = JsonSerializer.Deserialize(File.ReadAllBytes(path), PauseHistoryJson.Default.ListPauseSample) ?? throw new JsonException("it is null");
                return samples.Count <= Kept && samples.TrueForAll(s => s is { IsValid: true }) ? samples : throw new JsonException("a pause in it is out of range");
            }
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            LogUnusable(path, e.Message);
            return [];
        }
    }

    /// <inheritdoc/>
    public void Add(string peer, string runtime, PauseSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        if (!sample.IsValid)
        {
            return;
        }

        var path = PathOf(peer, runtime);
        try
        {
            lock (_lock)
            {
                Directory.CreateDirectory(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                List<PauseSample> samples = [.. Read(peer, runtime).TakeLast(Kept - 1), sample];
                DurableFile.Replace(path, JsonSerializer.SerializeToUtf8Bytes(samples, PauseHistoryJson.Default.ListPauseSample));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(path, e.Message);
        }
    }

    private string PathOf(string peer, string runtime) =>
        ManifestValidator.IsName(peer) && ManifestValidator.IsName(runtime)
            ? Path.Combine(_directory, $"{peer}.{runtime}.json")
            : throw new ArgumentException($"'{peer}' or '{runtime}' is no name");

    [LoggerMessage(LogLevel.Warning, "{File} is not used, pauses are predicted from constants: {Reason}")]
    private partial void LogUnusable(string file, string reason);

    [LoggerMessage(LogLevel.Warning, "{File} could not be written: {Reason}")]
    private partial void LogNotKept(string file, string reason);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, MaxDepth = 8)]
    [JsonSerializable(typeof(List<PauseSample>))]
    private sealed partial class PauseHistoryJson : JsonSerializerContext;
}
