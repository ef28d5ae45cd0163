using ContainerMigrate.Linux.Storage;

namespace ContainerMigrate.Tests.Storage;

/// <summary>A directory on a real disk that goes away with everything in it, however deep.</summary>
internal sealed class TestDirectory : IDisposable
{
    public TestDirectory()
    {
        Path = Directory.CreateTempSubdirectory("ctmigrate-test-").FullName;
    }

    public string Path { get; }

    /// <summary>Makes a directory in it.</summary>
    public string Make(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose()
    {
        DirectoryCleaner.Empty(Path);
        Directory.Delete(Path);
    }
}
