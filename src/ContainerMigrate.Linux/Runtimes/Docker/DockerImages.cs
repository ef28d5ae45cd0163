using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ContainerMigrate.Containers;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Images of this host: which one a container runs from, which layers are here, and moving what is not.</summary>
internal sealed partial class DockerImages(DockerClient client, DockerOptions options)
{
    /// <summary>Docker 25 saves images as blobs named by digest; before it, a layer's name did not tell which layer it is.</summary>
    public static Version BlobLayoutApi { get; } = new(1, 44);

    private readonly ImportedImages _imported = new(Path.Combine(options.StateDirectory, "imported"));

    /// <summary>The image that a container was made from.</summary>
    public async Task<ImageIdentity?> IdentifyAsync(JsonNode container, CancellationToken cancellationToken)
    {
        var id = container.Text("Image");
        if (await FindAsync(id, cancellationToken) is not { } image)
        {
            return null; // its name and layers were removed by force
        }

        var reference = container.Object("Config").Text("Image");
        var named = IsReference(reference) && (await FindAsync(reference, cancellationToken)).Text("Id") == id;
        return new ImageIdentity(named ? reference : id, id, [.. image.Object("RootFS").Texts("Layers")], image.Number("Size"));
    }

    /// <summary>Docker's description of an image by name or id; null when it is not here.</summary>
    public Task<JsonNode?> FindAsync(string nameOrId, CancellationToken cancellationToken) =>
        nameOrId.Length == 0 ? Task.FromResult<JsonNode?>(null) : client.FindAsync($"/images/{EscapeReference(nameOrId)}/json", cancellationToken);

    public async Task<bool> IsPresentAsync(ImageIdentity image, CancellationToken cancellationToken) =>
        (await FindAsync(image.Id, cancellationToken)).Text("Id") == image.Id;

    /// <summary>The name by which a container can be made from the image here: its own, or its id where the name means another image or none.</summary>
    public async Task<string> ResolveAsync(ImageIdentity image, CancellationToken cancellationToken) =>
        IsReference(image.Reference) && (await FindAsync(image.Reference, cancellationToken)).Text("Id") == image.Id ? image.Reference : image.Id;

    /// <summary>The id of the image that has this name here and is not <paramref name="image"/>; null when the name is free.</summary>
    public async Task<string?> FindOtherAsync(ImageIdentity image, CancellationToken cancellationToken) =>
        IsReference(image.Reference) && (await FindAsync(image.Reference, cancellationToken)).Text("Id") is { Length: > 0 } id && id != image.Id ? id : null;

    /// <summary>
    /// Layers to send so that the image can be loaded here. Docker finds a layer it has by the chain of all layers up to it, so
    /// what can be left out is the longest beginning that the image has in common with some image of this host.
    /// </summary>
    public async Task<IReadOnlyList<string>> FindMissingLayersAsync(ImageIdentity image, CancellationToken cancellationToken)
    {
        if (await IsPresentAsync(image, cancellationToken))
        {
            return [];
        }

        var common = 0;
        foreach (var other in (await client.GetAsync("/images/json?all=1", cancellationToken) as JsonArray ?? []).OfType<JsonNode>())
        {
            if (await FindAsync(other.Text("Id"), cancellationToken) is not { } description)
            {
                continue;
            }

            var shared = image.LayerDigests.Zip(description.Object("RootFS").Texts("Layers")).TakeWhile(p => p.First == p.Second).Count();
            common = Math.Max(common, shared);
        }

        // An image may be new while all of its layers are here; then its configuration is what has to be sent.
        return common < image.LayerDigests.Count ? [.. image.LayerDigests.Skip(common)] : [image.Id];
    }

    /// <summary>Writes an archive of the configuration and of <paramref name="layers"/>.</summary>
    public async Task ExportAsync(ImageIdentity image, IReadOnlyList<string> layers, Stream destination, CancellationToken cancellationToken)
    {
        if (await client.GetVersionAsync(cancellationToken) < BlobLayoutApi)
        {
            throw new MigrationException("image", "Docker before 25 cannot send parts of an image", $"docker save {image.Id} | ssh DESTINATION docker load");
        }

        await using var saved = await client.OpenAsync($"/images/{EscapeReference(image.Id)}/get", options.ImageTimeout, cancellationToken);
        await ImageArchive.FilterAsync(saved, destination, [image.Id, .. layers], cancellationToken);
    }

    /// <summary>Loads such an archive and makes sure that it gave the image that was promised.</summary>
    public async Task ImportAsync(ImageIdentity image, Stream source, CancellationToken cancellationToken)
    {
        if (await IsPresentAsync(image, cancellationToken))
        {
            // Somebody else brought it meanwhile; what was sent is read all the same, for the stream to stay in step.
            await source.CopyToAsync(Stream.Null, cancellationToken);
            return;
        }

        var tag = IsReference(image.Reference) && await FindAsync(image.Reference, cancellationToken) is null ? WithTag(image.Reference) : null;
        _imported.Remember(image.Id);
        try
        {
            var answer = await client.UploadAsync(
                "/images/load?quiet=1",
                (body, token) => ImageArchive.CompleteAsync(source, body, image, tag, token),
                cancellationToken);
            ThrowIfRefused(answer);
            if (await FindAsync(image.Id, cancellationToken) is not { } loaded
                || !loaded.Object("RootFS").Texts("Layers").SequenceEqual(image.LayerDigests))
            {
                throw new MigrationException("image", $"docker load succeeded, but image {image.Id} is not here");
            }
        }
        catch (Exception e)
        {
            await DiscardAsync(image, CancellationToken.None);
            if (e is DockerApiException or InvalidDataException)
            {
                throw new MigrationException("image", $"image {image.Reference} could not be loaded: {e.Message}", innerException: e);
            }

            throw;
        }
    }

    /// <summary>Removes an image that <see cref="ImportAsync"/> brought and that nothing uses; others stay.</summary>
    public async Task DiscardAsync(ImageIdentity image, CancellationToken cancellationToken)
    {
        if (!_imported.Contains(image.Id))
        {
            return;
        }

        var name = await ResolveAsync(image, cancellationToken);
        try
        {
            await client.DeleteAsync($"/images/{EscapeReference(name)}", cancellationToken, options.RemoveTimeout);
        }
        catch (DockerApiException e) when (e.IsNotFound || e.IsConflict)
        {
            // Gone, or in use by a container that came later: then it is no leftover.
        }

        _imported.Forget(image.Id);
    }

    /// <summary>The image belongs to this host from now on.</summary>
    public void Keep(ImageIdentity image) => _imported.Forget(image.Id);

    /// <summary>True for a name with or without tag that may be given to an image; ids and digests are none.</summary>
    public static bool IsReference(string text) => ReferencePattern().IsMatch(text);

    private static string WithTag(string reference) =>
        reference.IndexOf(':', reference.LastIndexOf('/') + 1) < 0 ? reference + ":latest" : reference;

    // Slashes are part of the API's path.
    private static string EscapeReference(string reference) => string.Join('/', reference.Split('/').Select(Uri.EscapeDataString));

    // Errors after the first byte come as a line of JSON in an answer of status 200.
    private static void ThrowIfRefused(string answer)
    {
        foreach (var line in answer.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string error;
            try
            {
                error = JsonNode.Parse(line).Text("error");
            }
            catch (JsonException)
            {
                continue;
            }

            if (error.Length > 0)
            {
                throw new InvalidDataException(error.ReplaceLineEndings(" "));
            }
        }
    }

    // github.com/distribution/reference, without digests.
    [GeneratedRegex(@"^(?!sha256:)[a-zA-Z0-9][a-zA-Z0-9._\-]*(:[0-9]{1,5}(?=/))?(/[a-z0-9][a-z0-9._\-]*)*(:[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127})?\z")]
    private static partial Regex ReferencePattern();
}
