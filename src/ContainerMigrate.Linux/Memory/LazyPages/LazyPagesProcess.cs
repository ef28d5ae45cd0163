using System.Globalization;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>The lazy-pages server as a process: <c>ctmigrated lazy-pages STORE WORK</c>.</summary>
public static class LazyPagesProcess
{
    private const int CannotServe = 1;
    private const string Loaded = "loaded";

    /// <summary>Returns when every restored process has all its pages, or CRIU has given up.</summary>
    /// <param name="store">A sealed store's directory.</param>
    /// <param name="work">CRIU's work directory for the restore; gets the log.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string store, string work)
    {
        var started = TimeProvider.System.GetTimestamp();
        try
        {
            using var server = new LazyPagesServer(store, work);
            var loaded = server.Run();
            Log(work, $"{(loaded ? Loaded : "abandoned by CRIU")}: {server.LoadedPages} pages, {server.Faults} faults, {TimeProvider.System.GetElapsedTime(started).TotalMilliseconds:0} ms");
            return 0;
        }
        catch (Exception e)
        {
            // Whatever it is, another one takes over, and somebody has to be able to read why.
            Log(work, e is IOException ? e.Message : e.ToString());
            return CannotServe;
        }
    }

    /// <summary>Whether a server has said, as its last word, that every process has all its pages.</summary>
    /// <param name="work">As for <see cref="Run"/>.</param>
    internal static bool HasLoaded(string work) =>
        File.Exists(LazyRestore.LogPath(work)) && File.ReadLines(LazyRestore.LogPath(work)).LastOrDefault() is { } last && last.Contains($" {Loaded}: ", StringComparison.Ordinal);

    private static void Log(string work, string line) =>
        File.AppendAllText(LazyRestore.LogPath(work), string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:O} {Environment.ProcessId} {line}\n"));
}
