using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Criu.Metadata;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Criu;

/// <summary>Dumps through <c>runc checkpoint</c>, which knows a container's external mounts, namespaces and cgroups.</summary>
public sealed partial class RuncCheckpointEngine : ICheckpointEngine
{
    private const string LogName = "dump.log";

    // runc reads CRIU's answers from a socket, and this is how it tells that there will be no more.
    private const string BrokenOff = "read unixpacket @->@: EOF";

    // The fence is ours: CRIU need not lock the network itself, and since the images remember how it did, the restore need not unlock it.
    // Files that are open and deleted go into the images; CRIU refuses those beyond 1 MiB unless told otherwise (ghost_limit in
    // criu/include/cr_options.h is an unsigned int: this is the most it takes).
    private const string DumpConfiguration = "tcp-established\nnetwork-lock skip\nghost-limit 4095M\n";

    // CRIU that is killed in the middle leaves its code in the tasks and their sockets in repair mode, so it is stopped by this alone and when it hangs (AbandonedCheckpoint).
    private static readonly TimeSpan LastResort = TimeSpan.FromMinutes(5);

    private readonly IProcessRunner _processes;
    private readonly RestoreLayout _layout;
    private readonly string _homeDirectory;
    private readonly Lock _writing = new();
    private readonly ILogger _logger;

    /// <param name="stateDirectory">Our state directory; CRIU's default configuration is kept beneath it.</param>
    public RuncCheckpointEngine(IProcessRunner processes, RestoreLayout layout, string stateDirectory, ILogger<RuncCheckpointEngine> logger)
    {
        _processes = processes;
        _layout = layout;
        _logger = logger;
        _homeDirectory = Path.Combine(stateDirectory, "criu-home");
    }

    /// <inheritdoc/>
    public async Task DumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        var result = await AbandonedCheckpoint.SeeToItsEndAsync(_processes.RunAsync(Checkpoint(container, directory), CancellationToken.None), directory, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (result.ExitCode != 0)
        {
            throw Explain(result, directory);
        }

        PutRight(CheckpointImages.DirectoryIn(directory));
    }

    /// <inheritdoc/>
    public async Task<IMetadataDump> PrepareMetadataDumpAsync(SourceContainer container, string directory, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(container);
        cancellationToken.ThrowIfCancellationRequested();
        return await MetadataDump.PrepareAsync(
            _processes, Checkpoint(container, directory), container.CgroupDirectory, directory, PutRight, result => Explain(result, directory));
    }

    /// <inheritdoc/>
    public async Task LetGoAsync(string directory)
    {
        CriuGate.Abandon(directory);
        await AbandonedCheckpoint.AwaitEndAsync(directory);
        CriuGate.Remove(directory);
    }

    /// <inheritdoc/>
    public async Task UndoAsync(string cgroupDirectory, string directory)
    {
        await LetGoAsync(directory);
        if (SocketRepair.End(cgroupDirectory) is > 0 and var sockets)
        {
            LogRepaired(sockets);
        }
    }

    private ProcessCommand Checkpoint(SourceContainer container, string directory)
    {
        WriteConfiguration(container.Reference.Id);
        return new ProcessCommand(
            "runc", "--root", container.RuncRoot, "checkpoint", "--leave-running", "--tcp-established", "--file-locks", "--empty-ns", "network",
            "--image-path", CheckpointImages.DirectoryIn(directory), "--work-path", WorkIn(directory), container.Reference.Id)
        {
            Environment = new Dictionary<string, string?>
            {
                ["HOME"] = _homeDirectory,
                ["PATH"] = $"{RestoreLayout.CriuProgramsDirectory}:{Environment.GetEnvironmentVariable("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin"}",
            },
            Timeout = LastResort,
        };
    }

    private static string WorkIn(string directory) => Directory.CreateDirectory(Path.Combine(directory, "work")).FullName;

    private static MigrationException Explain(ProcessResult result, string directory)
    {
        var log = Path.Combine(WorkIn(directory), LogName);
        return CriuLog.RootCause(log) is { } cause ? new MigrationException("dump", "CRIU: " + cause, $"the whole log is {log}")
            : result.StandardError.Contains(BrokenOff, StringComparison.Ordinal) ? new MigrationException("dump", "CRIU was killed in the middle of it", "the kernel's log says if memory ran out")
            : new MigrationException("dump", "runc checkpoint: " + result.FailureReason, "`ctmigrate doctor` says whether CRIU works here");
    }

    // Images in a form that is not known go as they are: CRIU may have changed it together with what is put right here.
    private void PutRight(string images)
    {
        try
        {
            if (PeriodicTimers.Arm(images) is > 0 and var timers)
            {
                LogArmed(timers);
            }

            if (InterruptedCalls.Repeat(images) is > 0 and var calls)
            {
                LogRepeated(calls);
            }
        }
        catch (InvalidDataException e)
        {
            LogUnknownImage(e.Message);
        }
    }

    // CRIU reads $HOME/.criu/default.conf, and over it the file that the container's org.criu.config annotation names. A container
    // that was restored here keeps the annotation of that restore (see hooks/README.md), so its file is made one for a dump.
    private void WriteConfiguration(string containerId)
    {
        lock (_writing)
        {
            Ensure(Path.Combine(Directory.CreateDirectory(Path.Combine(_homeDirectory, ".criu")).FullName, "default.conf"));
        }

        var annotated = Path.Combine(_layout.RestoreDirectory(containerId), "criu.conf");
        if (File.Exists(annotated))
        {
            Ensure(annotated);
        }
    }

    // In one step, and only when it has to be: the CRIU of another container's dump may be reading it.
    private static void Ensure(string path)
    {
        if (!File.Exists(path) || File.ReadAllText(path) != DumpConfiguration)
        {
            DurableFile.Replace(path, System.Text.Encoding.UTF8.GetBytes(DumpConfiguration));
        }
    }

    [LoggerMessage(LogLevel.Debug, "{Timers} periodic timers had expired and were armed again in the images")]
    private partial void LogArmed(int timers);

    [LoggerMessage(LogLevel.Debug, "{Calls} system calls that the freeze had interrupted are begun anew in the images")]
    private partial void LogRepeated(int calls);

    [LoggerMessage(LogLevel.Warning, "periodic timers may stop, and system calls fail with EINTR, since an image of CRIU cannot be read: {Reason}")]
    private partial void LogUnknownImage(string reason);

    [LoggerMessage(LogLevel.Warning, "an interrupted dump had left {Sockets} TCP sockets in repair mode; they work again")]
    private partial void LogRepaired(int sockets);
}
