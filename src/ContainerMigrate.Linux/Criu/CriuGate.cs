using ContainerMigrate.Linux.Files;

namespace ContainerMigrate.Linux.Criu;

/// <summary>Lets runc be started before there is work for CRIU: <c>hooks/criu-path/criu</c> waits at this fifo for a line.</summary>
internal sealed class CriuGate : IDisposable
{
    /// <summary>Tells that program where the fifo is.</summary>
    public const string Variable = "CTMIGRATE_CRIU_GATE";

    private const string FileName = "criu-gate";
    private const string AskedSuffix = "-asked"; // the mark of runc's first call, for CRIU's version

    private readonly FileStream _fifo;
    private bool _decided;

    private CriuGate(string path)
    {
        Path = path;
        _fifo = Open(path);
    }

    public string Path { get; }

    /// <param name="directory">Where it is to be; one a directory.</param>
    public static CriuGate Create(string directory)
    {
        Remove(directory);
        var path = PathIn(directory);
        DurableFile.CreateFifo(path);
        return new CriuGate(path);
    }

    /// <summary>Ends the wait at a gate that a daemon left behind when it died. What came through it before is at work.</summary>
    public static void Abandon(string directory)
    {
        if (File.Exists(PathIn(directory)))
        {
            using var fifo = Open(PathIn(directory));
            fifo.Write("abort\n"u8);
        }
    }

    public void Go() => Decide("go\n"u8);

    /// <summary>Whoever waits, or will, gives up; nothing if it was <see cref="Go"/> before.</summary>
    public void Abort() => Decide("abort\n"u8);

    /// <summary>Once nobody comes any more.</summary>
    public void Dispose()
    {
        _fifo.Dispose();
        Remove(System.IO.Path.GetDirectoryName(Path)!);
    }

    /// <summary>What a daemon that died has left, once nobody comes any more.</summary>
    public static void Remove(string directory)
    {
        File.Delete(PathIn(directory));
        File.Delete(PathIn(directory) + AskedSuffix);
    }

    private static string PathIn(string directory) => System.IO.Path.Combine(directory, FileName);

    // For reading, too: then the line stays until somebody comes for it, as long as this is open.
    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);

    private void Decide(ReadOnlySpan<byte> line)
    {
        if (!_decided)
        {
            _decided = true;
            _fifo.Write(line);
        }
    }
}
