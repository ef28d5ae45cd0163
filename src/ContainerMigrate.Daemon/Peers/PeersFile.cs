using System.Text.Json;
using System.Text.Json.Serialization;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using ContainerMigrate.Linux.Files;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Form of <c>peers.json</c>.</summary>
internal sealed record PeersFile
{
    public int Version { get; init; } = 1;

    public required IReadOnlyList<Entry> Peers { get; init; }

    /// <summary>Peers of the file, every one of them checked; none when there is no file.</summary>
    /// <exception cref="ConfigurationException">The file or one entry of it cannot be used; the message names the entry.</exception>
    public static IReadOnlyList<Peer> Read(string path)
    {
        PeersFile? file;
        try
        {
            file = File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), PeersFileJson.Default.PeersFile) : new PeersFile { Peers = [] };
        }
        catch (JsonException e)
        {
            throw new ConfigurationException($"{path}: not valid at line {e.LineNumber + 1}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: cannot be read: {e.Message}", e);
        }

        if (file is not { Version: 1, Peers: not null })
        {
            throw new ConfigurationException($"{path}: version must be 1, with a list of peers");
        }

        var peers = new List<Peer>();
        foreach (var (index, entry) in file.Peers.Index())
        {
            var what = $"{path}: peer {index + 1} \"{entry?.Name}\"";
            if (!HostNames.IsValid(entry?.Name))
            {
                throw new ConfigurationException($"{what}: name must be {HostNames.Allowed}");
            }

            if (!PeerAddress.TryParse(entry!.Address, out var address))
            {
                throw new ConfigurationException($"{what}: address \"{entry.Address}\" must be {PeerAddress.Allowed}");
            }

            if (!Fingerprint.TryParse(entry.Fingerprint, out _))
            {
                throw new ConfigurationException($"{what}: fingerprint must be 32 hexadecimal pairs in capitals with colons");
            }

            if (peers.Exists(p => p.Name == entry.Name || p.Fingerprint == entry.Fingerprint))
            {
                throw new ConfigurationException($"{what}: its name or fingerprint is in the list twice");
            }

            peers.Add(new Peer(entry.Name!, address, entry.Fingerprint!, entry.PairedAt));
        }

        return peers;
    }

    public static void Write(string path, IEnumerable<Peer> peers)
    {
        var file = new PeersFile
        {
            Peers = [.. peers.Select(p => new Entry(p.Name, p.Address.ToString(), p.Fingerprint, p.PairedAt))],
        };
        DurableFile.Replace(path, JsonSerializer.SerializeToUtf8Bytes(file, PeersFileJson.Default.PeersFile));
    }

    internal sealed record Entry(string? Name, string? Address, string? Fingerprint, DateTimeOffset PairedAt);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(PeersFile))]
internal sealed partial class PeersFileJson : JsonSerializerContext;
