using ContainerMigrate.Linux.Files;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Remembers over restarts which images a migration brought that has not ended yet: one empty file for each.</summary>
internal sealed class ImportedImages(string directory)
{
    public void Remember(string imageId)
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableFile.Replace(FileOf(imageId), []);
    }

    public bool Contains(string imageId) => File.Exists(FileOf(imageId));

    public void Forget(string imageId)
    {
        if (Directory.Exists(directory))
        {
            File.Delete(FileOf(imageId));
        }
    }

    // "sha256:..." passed the manifest's validation, but a path is made of it here.
    private string FileOf(string imageId) =>
        Containers.ManifestValidator.IsDigest(imageId)
            ? Path.Combine(directory, imageId["sha256:".Length..])
            : throw new ArgumentException($"'{imageId}' is not an image id", nameof(imageId));
}
