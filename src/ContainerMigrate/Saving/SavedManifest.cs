using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;

namespace ContainerMigrate.Saving;

/// <summary>The first part of a file: what was saved, where and when.</summary>
/// <param name="Container">As a destination would get it; hostile until <see cref="ManifestValidator"/> has passed it.</param>
/// <param name="Host">The host that it ran on.</param>
public sealed record SavedManifest(DateTimeOffset SavedAt, ContainerManifest Container, HostFacts Host);

/// <summary>The last part of a file: what was only known at the end.</summary>
/// <param name="RestartPolicy">What the container gets once it runs again.</param>
public sealed record SavedSettings(JsonObject RestartPolicy);

/// <summary>JSON inside of a file.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    MaxDepth = 64)]
[JsonSerializable(typeof(SavedManifest))]
[JsonSerializable(typeof(SavedSettings))]
internal sealed partial class SavedJson : JsonSerializerContext;

/// <summary>Everything about a file that is whole.</summary>
/// <param name="Parts">In their order.</param>
public sealed record SavedFile(SavedManifest Manifest, SavedSettings Settings, IReadOnlyList<SavedPartInfo> Parts)
{
    /// <summary>Reads all of a file, and compares everything with its digest. Nothing of it is put to use.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or no such file.</exception>
    public static async Task<SavedFile> VerifyAsync(Stream file, SavedSecret? secret, CancellationToken cancellationToken)
    {
        using var reader = await SavedFileReader.OpenAsync(file, secret, cancellationToken);
        SavedManifest? manifest = null;
        SavedSettings? settings = null;
        var parts = new List<SavedPartInfo>();
        while (await reader.NextAsync(cancellationToken) is { } part)
        {
            if (settings is not null || (manifest is null) != (part == SavedPart.Manifest))
            {
                throw new InvalidDataException("its parts are not in the order in which they are written");
            }

            switch (part)
            {
                case SavedPart.Manifest:
                    manifest = await ReadManifestAsync(reader, cancellationToken);
                    break;
                case SavedPart.Settings:
                    settings = await ReadSettingsAsync(reader, cancellationToken);
                    break;
                default:
                    await using (var content = reader.OpenPart())
                    {
                        await content.CopyToAsync(Stream.Null, SavedFormat.MaxFrameBytes, cancellationToken);
                    }

                    break;
            }

            parts.Add(reader.Last!);
        }

        return new SavedFile(manifest ?? throw new InvalidDataException("it has no manifest"), settings ?? throw new InvalidDataException("it has no settings"), parts);
    }

    /// <summary>Writes the first part.</summary>
    public static Task WriteManifestAsync(SavedFileWriter writer, SavedManifest manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(writer);
        return writer.WriteAsync(SavedPart.Manifest, (stream, token) => JsonSerializer.SerializeAsync(stream, manifest, SavedJson.Default.SavedManifest, token), cancellationToken);
    }

    /// <summary>Writes the last part.</summary>
    public static Task WriteSettingsAsync(SavedFileWriter writer, SavedSettings settings, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(writer);
        return writer.WriteAsync(SavedPart.Settings, (stream, token) => JsonSerializer.SerializeAsync(stream, settings, SavedJson.Default.SavedSettings, token), cancellationToken);
    }

    private static async Task<SavedManifest> ReadManifestAsync(SavedFileReader reader, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize(await reader.ReadAllAsync(cancellationToken), SavedJson.Default.SavedManifest) ?? throw new InvalidDataException("its manifest is empty");
            return ManifestValidator.FindProblem(manifest.Container) is { } problem ? throw new InvalidDataException($"its manifest is refused: {problem}") : manifest;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"its manifest cannot be read: {e.Message}", e);
        }
    }

    private static async Task<SavedSettings> ReadSettingsAsync(SavedFileReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await reader.ReadAllAsync(cancellationToken), SavedJson.Default.SavedSettings) ?? throw new InvalidDataException("its settings are empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"its settings cannot be read: {e.Message}", e);
        }
    }
}
