using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;
using ContainerMigrate.Volumes;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Migration;

/// <summary>
/// The source's copy of what has gone along with a container's mounts: removed like its writable layer, once the destination's files are durable, so that
/// nobody takes it for the current one, and the way back is free.
/// </summary>
internal sealed partial class DepartingVolumes(MigrationEnvironment environment, ILogger logger)
{
    /// <summary>What is to be removed later, for the journal: nothing that somebody else has mounted, or that lies where nothing is removed, nor a file that the container could not write to.</summary>
    /// <param name="keep">All of it stays.</param>
    public static void Note(JsonObject record, SourceContainer container, IHostDirectories directories, bool keep)
    {
        var going = keep ? [] : container.Manifest.GetCopiedMounts();
        if (going.Count == 0)
        {
            return;
        }

        record[JournalKeys.DepartingVolumes] = new JsonArray([.. going.Where(m => m.Kind == "volume").Select(m => (JsonNode)m.Source)]);
        IReadOnlyList<DirectoryClaim> claims = [.. going.Where(m => m.Kind == "bind" && !(m.IsFile && m.ReadOnly)).Select(m => directories.Identify(m.Source)).OfType<DirectoryClaim>()];
        record[JournalKeys.DepartingDirectories] = JsonSerializer.SerializeToNode(claims, JournalJson.Default.IReadOnlyListDirectoryClaim);
    }

    /// <summary>Removes it, after the container. Idempotent.</summary>
    public async Task RemoveAsync(IMigrationJournal journal, IContainerRuntime runtime, CancellationToken cancellationToken)
    {
        foreach (var name in (journal.Value(JournalKeys.DepartingVolumes) as JsonArray ?? []).Select(n => n!.GetValue<string>()))
        {
            if (!await runtime.RemoveVolumeAsync(name, cancellationToken))
            {
                LogStays(name);
            }
        }

        foreach (var claim in journal.Value(JournalKeys.DepartingDirectories) is { } node ? node.Deserialize(JournalJson.Default.IReadOnlyListDirectoryClaim) ?? [] : [])
        {
            try
            {
                environment.Directories.Remove(claim);
            }
            catch (IOException e)
            {
                LogLeft(claim.Path, e.Message); // something is mounted in it, or cannot be removed at all: trying again does not help
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "volume {Volume} stays here as it was: another container has it")]
    private partial void LogStays(string volume);

    [LoggerMessage(LogLevel.Warning, "not all of {Directory} could be removed here: {Reason}")]
    private partial void LogLeft(string directory, string reason);
}
