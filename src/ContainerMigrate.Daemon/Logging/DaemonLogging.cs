using System.Text;
using ContainerMigrate.Daemon.Configuration;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Sinks.File;

namespace ContainerMigrate.Daemon.Logging;

/// <summary>Where log lines go: to systemd's journal, or else the console, and to a file that is kept within bounds.</summary>
internal static class DaemonLogging
{
    private const long MaxFileBytes = 16 << 20;
    private const int MaxFiles = 8;

    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
    private const UnixFileMode DirectoryMode = FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    /// <summary>systemd sets JOURNAL_STREAM when it reads what the service prints.</summary>
    public static bool UnderJournal { get; } = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("JOURNAL_STREAM"));

    /// <exception cref="ConfigurationException">The file cannot be written.</exception>
    public static Logger Create(DaemonOptions options)
    {
        // What is logged at all is decided by the filters of the host.
        var configuration = new LoggerConfiguration().MinimumLevel.Is(LevelAlias.Minimum);
        configuration = UnderJournal && File.Exists(JournalSink.DefaultSocket)
            ? configuration.WriteTo.Sink(new JournalSink())
            : configuration.WriteTo.Console(new LineFormatter(UnderJournal));
        if (options.LogFile is { } file)
        {
            OpenForWriting(file);
            configuration.WriteTo.File(
                new LineFormatter(forJournal: false),
                file,
                fileSizeLimitBytes: MaxFileBytes,
                rollOnFileSizeLimit: true,
                retainedFileCountLimit: MaxFiles,
                hooks: new RestrictMode());
        }

        return configuration.CreateLogger();
    }

    /// <summary>The sink says nothing about a file that it cannot write.</summary>
    private static void OpenForWriting(string file)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!, DirectoryMode);
            using var _ = new FileStream(file, new FileStreamOptions
            {
                Mode = System.IO.FileMode.Append,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite,
                UnixCreateMode = FileMode,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"log_file {file} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>A pairing code is in the log as long as it lasts: not for everybody to read.</summary>
    private sealed class RestrictMode : FileLifecycleHooks
    {
        public override Stream OnFileOpened(string path, Stream underlyingStream, Encoding encoding)
        {
            File.SetUnixFileMode(path, FileMode);
            return underlyingStream;
        }
    }
}
