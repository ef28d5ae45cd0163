namespace ContainerMigrate.Containers;

/// <summary>
/// A dump of everything but lazily restorable memory, whose images are complete. CRIU still holds the frozen container: disposing lets it finish,
/// and leaves the container frozen and whole. Disposing twice is harmless.
/// </summary>
public interface IMetadataDump : IAsyncDisposable;
