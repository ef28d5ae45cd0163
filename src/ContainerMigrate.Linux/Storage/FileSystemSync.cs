namespace ContainerMigrate.Linux.Storage;

/// <summary>Makes a received tree durable: before a source is destroyed, its copy has to survive a power failure.</summary>
public static class FileSystemSync
{
    /// <summary>syncfs(2) on the file system that holds <paramref name="directory"/>: writes back whatever is dirty on it, other people's data too.</summary>
    /// <exception cref="IOException">The disk reported an error.</exception>
    public static Task RunAsync(string directory, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(
            () =>
            {
                using var descriptor = Descriptor.OpenRoot(directory);
                if (FileCalls.SyncFileSystem(descriptor.Value) != 0)
                {
                    throw FileError.Last("sync", directory);
                }
            },
            cancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
}
