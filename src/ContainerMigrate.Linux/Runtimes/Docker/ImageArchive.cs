using System.Formats.Tar;
using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// Image archives on the wire and in front of <c>docker load</c>: tar files of <c>blobs/sha256/DIGEST</c>, a subset of what
/// <c>docker save</c> writes (moby image/tarexport). Only what is missing is sent; <c>docker load</c> never opens the file of a layer
/// whose chain it has. The index (<c>manifest.json</c>) is not sent: the destination writes its own.
/// </summary>
internal static class ImageArchive
{
    private const string BlobDirectory = "blobs/sha256/";
    private const string DigestPrefix = "sha256:";
    private const long MaxConfigBytes = 8 * 1024 * 1024;
    private const int MaxPadding = 1024 * 1024;

    /// <summary>Copies the blobs with these digests and leaves out everything else.</summary>
    /// <param name="source">What <c>GET /images/ID/get</c> answers, or an archive of ours.</param>
    /// <param name="destination">Receives the archive; stays open.</param>
    /// <param name="digests"><c>sha256:...</c> of the image's configuration and of layers (uncompressed: Docker 25 and later name them so).</param>
    /// <exception cref="InvalidDataException">A digest is not in the source.</exception>
    public static async Task FilterAsync(Stream source, Stream destination, IEnumerable<string> digests, CancellationToken cancellationToken)
    {
        var wanted = digests.Select(BlobName).ToHashSet();
        await using var reader = new TarReader(source, leaveOpen: true);
        await using var writer = new TarWriter(destination, TarEntryFormat.Pax, leaveOpen: true);
        while (wanted.Count > 0 && await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && wanted.Remove(entry.Name))
            {
                await CopyAsync(entry, writer, cancellationToken);
            }
        }

        if (wanted.Count > 0)
        {
            throw new InvalidDataException($"docker save did not give {wanted.First()}");
        }
    }

    /// <summary>
    /// Copies an archive that came from a peer into the form that <c>docker load</c> takes. Each blob has to belong to the promised
    /// image and to have the digest of its name.
    /// </summary>
    /// <param name="tag">The name that the image gets, or null.</param>
    /// <exception cref="InvalidDataException">Anything else is in it, or the configuration is missing.</exception>
    public static async Task CompleteAsync(Stream source, Stream destination, ImageIdentity image, string? tag, CancellationToken cancellationToken)
    {
        var allowed = image.LayerDigests.Append(image.Id).Select(BlobName).ToHashSet();
        var configName = BlobName(image.Id);
        var sawConfig = false;
        var remaining = MaxArchiveBytes(image.SizeBytes);
        await using var reader = new TarReader(source, leaveOpen: true);
        await using var writer = new TarWriter(destination, TarEntryFormat.Pax, leaveOpen: true);
        while (await reader.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !allowed.Remove(entry.Name))
            {
                throw new InvalidDataException($"the image archive holds '{SettingShapes.Shown(entry.Name)}', which does not belong to the image");
            }

            if (entry.Name == configName)
            {
                sawConfig = true;
                if (entry.Length > MaxConfigBytes)
                {
                    throw new InvalidDataException($"the image's configuration is longer than {MaxConfigBytes} bytes");
                }
            }

            remaining -= entry.Length;
            if (remaining < 0)
            {
                throw new InvalidDataException($"the image archive is much larger than the {image.SizeBytes} bytes that were promised");
            }

            await CopyAsync(entry, writer, cancellationToken);
        }

        await DrainAsync(source, cancellationToken);
        if (!sawConfig)
        {
            throw new InvalidDataException("the image archive lacks the image's configuration");
        }

        var index = new JsonArray(new JsonObject
        {
            ["Config"] = configName,
            ["RepoTags"] = tag is null ? null : new JsonArray(tag),
            ["Layers"] = DockerJson.Array(image.LayerDigests.Select(BlobName)),
        });
        using var text = new MemoryStream(Encoding.UTF8.GetBytes(index.ToJsonString()));
        await writer.WriteEntryAsync(Entry("manifest.json", text), cancellationToken);
    }

    // The reader stops at the first block of the end mark.
    private static async Task DrainAsync(Stream source, CancellationToken cancellationToken)
    {
        var block = new byte[4096];
        for (var drained = 0; drained < MaxPadding;)
        {
            var read = await source.ReadAsync(block, cancellationToken);
            if (read == 0)
            {
                return;
            }

            drained += read;
        }

        throw new InvalidDataException("the image archive goes on behind its end");
    }

    private static async Task CopyAsync(TarEntry entry, TarWriter writer, CancellationToken cancellationToken)
    {
        await using var content = new HashingStream(entry.DataStream ?? Stream.Null, entry.Length);
        await writer.WriteEntryAsync(Entry(entry.Name, content), cancellationToken);
        if (content.Position != content.Length)
        {
            throw new InvalidDataException($"the image archive ends within {entry.Name}");
        }

        if (content.Digest() != entry.Name[BlobDirectory.Length..])
        {
            throw new InvalidDataException($"{entry.Name} of the image archive has another digest");
        }
    }

    // A layer's archive holds headers that the image's size does not count.
    private static long MaxArchiveBytes(long imageBytes) => (long)Math.Min(2.0 * imageBytes + (1L << 30), long.MaxValue / 2);

    private static PaxTarEntry Entry(string name, Stream? content) =>
        new(TarEntryType.RegularFile, name) { DataStream = content, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite, ModificationTime = DateTimeOffset.UnixEpoch };

    private static string BlobName(string digest) => BlobDirectory + digest[DigestPrefix.Length..];
}
