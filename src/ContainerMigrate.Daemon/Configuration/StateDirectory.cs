namespace ContainerMigrate.Daemon.Configuration;

/// <summary>
/// The directory of everything durable, held by one daemon at a time. Dispose it last: another daemon may start then.
/// </summary>
internal sealed class StateDirectory : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly FileStream _lock;

    private StateDirectory(FileStream lockFile) => _lock = lockFile;

    /// <summary>Makes what is missing, 0700, and takes the lock.</summary>
    /// <exception cref="ConfigurationException">It cannot be made, or another daemon has it.</exception>
    public static StateDirectory Open(DaemonOptions options)
    {
        var path = options.StateDirectory;
        try
        {
            foreach (var directory in new[] { path, options.IdentityDirectory, options.MigrationsDirectory, options.RestoresDirectory, options.RefusedDirectory })
            {
                Directory.CreateDirectory(directory, OwnerOnly);
                File.SetUnixFileMode(directory, OwnerOnly);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"state_dir {path} cannot be set up: {e.Message}", e);
        }

        try
        {
            // FileShare.None is flock(2): it goes away with the process, whatever ends it.
            return new StateDirectory(new FileStream(Path.Combine(path, "lock"), new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }));
        }
        catch (IOException e)
        {
            throw new ConfigurationException($"state_dir {path} is in use: another ctmigrated is running (systemctl status ctmigrated)", e);
        }
    }

    public void Dispose() => _lock.Dispose();
}
