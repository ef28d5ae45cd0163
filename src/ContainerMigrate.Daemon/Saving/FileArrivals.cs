using System.Collections.Concurrent;
using System.Globalization;
using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Logging;
using ContainerMigrate.Daemon.Migrations;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;
using ContainerMigrate.Saving;

namespace ContainerMigrate.Daemon.Saving;

/// <summary>Containers that come out of files: the file is read as a source would send it, to the same destination's side, with the same checks and the same limits.</summary>
internal sealed partial class FileArrivals(MigrationEnvironment environment, PeerMigrations arrivals, MigrationIndex index, ILoggerFactory loggers) : IAsyncDisposable
{
    private const string Stage = "restore";
    private const double LeaseSeconds = 600;
    private const int Epoch = 1;

    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _shutdown = new();
    private readonly ILogger _logger = loggers.CreateLogger<FileArrivals>();

    /// <summary>Reads all of the file, reserves, and begins; returns the id.</summary>
    /// <exception cref="MigrationException">The file is damaged, or hostile, or the container cannot be made here.</exception>
    public async Task<string> StartAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        if (request.Skip.FirstOrDefault(s => !CheckNames.All.Contains(s)) is { } unknown)
        {
            throw ApiException.BadRequest($"there is no check '{unknown}' to skip; the checks are {string.Join(", ", CheckNames.All)}");
        }

        var file = Open(request.File);
        try
        {
            var saved = await TryAsync(request.File, () => SavedFile.VerifyAsync(file, request.Secret, cancellationToken));
            var manifest = Named(saved.Manifest.Container, request.Name);
            var id = environment.Time.GetUtcNow().UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture) + "-" + Guid.NewGuid().ToString("N")[..6];
            // Where it was saved may be long gone: of that host only what its processes have seen counts.
            var facts = saved.Manifest.Host with { FreeDiskBytes = long.MaxValue / 2, Clock = environment.Time.GetUtcNow(), CriuProblem = "" };
            var reserved = await arrivals.ReserveAsync(
                new ReserveRequest(id, Epoch, manifest, facts, request.Skip, LeaseSeconds, environment.Limits.FreezeTimeout.TotalSeconds), request.File, cancellationToken, fromFile: true);
            if (!reserved.Reserved)
            {
                var first = reserved.Findings[0];
                throw new MigrationException(new MigrationFailure(first.Host, "check", $"{first.Check}: {first.Message}", first.Hint));
            }

            if (reserved.MissingLayers.Count > 0 && saved.Parts.All(p => p.Part != SavedPart.Image))
            {
                await arrivals.AbortAsync(id, request.File, new AbortRequest(Epoch, "its image is missing"));
                throw Refused("check", $"image: {manifest.Image?.Reference} is not here, and the file does not have it", $"docker pull {manifest.Image?.Reference}, or save with --with-image");
            }

            file.Position = 0;
            _running[id] = Task.Run(() => RunAsync(id, request, file, saved, reserved.MissingLayers.Count > 0), CancellationToken.None);
            return id;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _shutdown.CancelAsync();
        await Task.WhenAll(_running.Values);
        _shutdown.Dispose();
    }

    private async Task RunAsync(string id, RestoreRequest request, FileStream file, SavedFile saved, bool needsImage)
    {
        using var scope = _logger.BeginMigration(id);
        try
        {
            await using (file)
            {
                await SendAsync(id, request, file, needsImage);
            }

            var state = await arrivals.GoAsync(id, request.File, new GoRequest(Epoch, saved.Settings.RestartPolicy), CancellationToken.None);
            if (state is { Phase: MigrationPhase.Committed or MigrationPhase.Done, Running: true })
            {
                await arrivals.SettleAsync(id, request.File, CancellationToken.None);
                await arrivals.FinishAsync(id, request.File);
                LogRestored(request.File);
            }
            else if (state.Failure is { } failure)
            {
                Fail(id, failure);
            }
        }
        catch (Exception e)
        {
            // A session's edge: whatever it was, nothing of the container is left.
            LogFailed(request.File, e.Message);
            var failure = e is MigrationException { Failure: var known } ? known with { Host = known.Host.Length == 0 ? environment.HostName : known.Host }
                : e is OperationCanceledException ? new MigrationFailure(environment.HostName, Stage, "ctmigrated was stopped", "restore it again once it runs")
                : MigrationFailure.OfTransfer(environment.HostName, e) with { Stage = Stage };
            await arrivals.AbortAsync(id, request.File, new AbortRequest(Epoch, failure.Cause));
            Fail(id, failure);
        }
        finally
        {
            _running.TryRemove(id, out _);
        }
    }

    private async Task SendAsync(string id, RestoreRequest request, FileStream file, bool needsImage)
    {
        var token = _shutdown.Token;
        using var reader = await SavedFileReader.OpenAsync(file, request.Secret, token);
        var migration = arrivals.Get(id, request.File);
        while (await reader.NextAsync(token) is { } part)
        {
            await using var content = reader.OpenPart();
            switch (part)
            {
                case SavedPart.Image when needsImage:
                    await migration.ReceiveImageAsync(content, token);
                    break;
                case SavedPart.Files:
                    await migration.ReceiveFilesAsync(content, token);
                    break;
                case SavedPart.Layer:
                    await migration.ReceiveLayerAsync(content, token);
                    break;
                case SavedPart.Log:
                    await migration.ReceiveLogAsync(content, token);
                    break;
                case SavedPart.Pages:
                    await migration.ReceivePagesAsync(content, token);
                    break;
                case SavedPart.Checkpoint:
                    await migration.ReceiveCheckpointAsync(content, token);
                    break;
                default:
                    break; // read when the file was verified
            }
        }

        await migration.PrepareAsync(new PrepareRequest(Epoch), token);
    }

    private void Fail(string id, MigrationFailure failure) =>
        index.Find(id)?.Update(s => s with { Failure = failure, EndedAt = s.EndedAt ?? environment.Time.GetUtcNow(), ExitCode = s.ExitCode ?? ExitCodes.FailedSourceRunning });

    private FileStream Open(string path)
    {
        if (!Path.IsPathFullyQualified(path))
        {
            throw ApiException.BadRequest($"'{path}' is not an absolute path");
        }

        try
        {
            // Not a pipe or a device, of which an open could wait for ever.
            var info = new FileInfo(path);
            var target = info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
            return target is FileInfo { Exists: true } && !target.Attributes.HasFlag(FileAttributes.Device)
                ? new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, Share = FileShare.Read, BufferSize = 1 << 20, Options = FileOptions.SequentialScan })
                : throw Refused("check", $"there is no file {path}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused("check", e.Message);
        }
    }

    private ContainerManifest Named(ContainerManifest manifest, string? name) =>
        name is null ? manifest
        : ManifestValidator.IsName(name) ? manifest with { Name = name }
        : throw Refused("check", $"'{name}' is not a name for a container");

    private async Task<T> TryAsync<T>(string path, Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new MigrationException(new MigrationFailure(environment.HostName, "check", $"{path} cannot be used: {e.Message}"), e);
        }
    }

    private MigrationException Refused(string stage, string cause, string? next = null) => new(new MigrationFailure(environment.HostName, stage, cause, next));

    [LoggerMessage(LogLevel.Information, "restored from {File}")]
    private partial void LogRestored(string file);

    [LoggerMessage(LogLevel.Warning, "{File} was not restored: {Reason}")]
    private partial void LogFailed(string file, string reason);
}
