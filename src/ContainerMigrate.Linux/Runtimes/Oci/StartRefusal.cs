using System.Text;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Files;

namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>The files by which the OCI runtime wrapper knows that a container must not be started here.</summary>
public sealed class StartRefusal(RestoreLayout layout) : IStartRefusal
{
    /// <inheritdoc/>
    public void Refuse(string containerId, string reason)
    {
        Directory.CreateDirectory(layout.RefusedDirectory);
        DurableFile.Replace(layout.RefusedFile(containerId), Encoding.UTF8.GetBytes(reason.ReplaceLineEndings(" ") + "\n"));
    }

    /// <inheritdoc/>
    public void Allow(string containerId)
    {
        var file = layout.RefusedFile(containerId);
        if (File.Exists(file))
        {
            File.Delete(file);
            DurableFile.SyncDirectory(layout.RefusedDirectory);
        }
    }
}
