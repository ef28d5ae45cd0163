using System.Threading.Channels;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// A lazy restore, seen from the daemon: keeps a server for CRIU running, and holds what would be lost with it. The server is a process of
/// its own, which outlives the daemon; a daemon that was started anew takes hold again.
/// </summary>
public sealed partial class LazyRestore : IDisposable
{
    private const int MaxDeaths = 20;
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ConnectsWithin = TimeSpan.FromSeconds(3); // a server looks for its holder five times a second
    private static readonly TimeSpan AfterDeath = TimeSpan.FromMilliseconds(50);

    private readonly string _store;
    private readonly string _work;
    private readonly string _program;
    private readonly IProcessRunner _processes;
    private readonly ILogger _logger;
    private readonly Func<int, Task>? _adopt;
    private readonly UserfaultHolder _holder;
    private readonly CancellationTokenSource _disposed = new();
    private IRunningProcess? _server;

    private LazyRestore(IProcessRunner processes, string program, string store, string work, ILogger logger, Func<int, Task>? adopt)
    {
        (_processes, _program, _store, _work, _logger, _adopt) = (processes, program, store, work, logger, adopt);
        _holder = new UserfaultHolder(store);
    }

    /// <summary>Name of the daemon's subcommand that is the server: <c>ctmigrated lazy-pages STORE WORK</c>.</summary>
    public static string ServerCommand => "lazy-pages";

    /// <summary>
    /// Completes when every process has all its pages and the store is gone: true; or when CRIU gave up before anything ran: false, and the
    /// store stays. Fails when servers keep dying: the container then stands still where it needs a page.
    /// </summary>
    public Task<bool> Completion { get; private set; } = Task.FromResult(false);

    /// <summary>CRIU has said that everything is restored; processes run from here on.</summary>
    public Task Restored => _holder.Restored;

    /// <summary>Pid of the server.</summary>
    public int ServerPid { get; private set; }

    /// <summary>Address spaces whose pages are still loading.</summary>
    public int LoadingSpaces => _holder.HeldSpaces;

    /// <summary>Returns when CRIU may be started, with <c>lazy-pages</c> in its configuration.</summary>
    /// <param name="program">Path of ctmigrated.</param>
    /// <param name="store">Directory of a store; it has to be sealed when CRIU is started, and not yet now: start the server before the freeze.</param>
    /// <param name="work">CRIU's work directory for this restore; exists.</param>
    /// <param name="adopt">Takes the server, by its pid, out of the daemon's service.</param>
    /// <exception cref="MigrationException">The server does not start.</exception>
    public static async Task<LazyRestore> StartAsync(
        IProcessRunner processes, string program, string store, string work, ILogger logger, CancellationToken cancellationToken, Func<int, Task>? adopt = null)
    {
        ArgumentNullException.ThrowIfNull(processes);
        var restore = new LazyRestore(processes, program, store, work, logger, adopt);
        try
        {
            restore.Completion = restore.KeepServerAsync(await restore.StartServerAsync(cancellationToken));
            if (await Task.WhenAny(restore._holder.Listening, restore.Completion, Task.Delay(StartsWithin, cancellationToken)) != restore._holder.Listening)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw new MigrationException("restore", "the server for the container's memory does not start", $"its log is {LogPath(work)}");
            }

            return restore;
        }
        catch
        {
            restore.Dispose();
            throw;
        }
    }

    /// <summary>Takes hold of the userfaultfds of a lazy restore that a daemon before this one has begun.</summary>
    /// <returns>Null when its server is gone too: the processes have read zeros, or wait for nobody. Nothing can be known of them.</returns>
    public static async Task<LazyRestore?> ResumeAsync(
        IProcessRunner processes, string program, string store, string work, ILogger logger, CancellationToken cancellationToken, Func<int, Task>? adopt = null)
    {
        ArgumentNullException.ThrowIfNull(processes);
        var restore = new LazyRestore(processes, program, store, work, logger, adopt);
        if (await Task.WhenAny(restore._holder.Connected, Task.Delay(ConnectsWithin, cancellationToken)) != restore._holder.Connected)
        {
            restore.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }

        restore.Completion = restore.KeepServerAsync(server: null);
        return restore;
    }

    /// <inheritdoc cref="UserfaultHolder.Wanted"/>
    internal ChannelReader<(int ProcessId, ulong Address)> Wanted => _holder.Wanted;

    /// <inheritdoc cref="UserfaultHolder.TellArrived"/>
    internal void TellArrived() => _holder.TellArrived();

    /// <summary>Where the server writes what it has to say.</summary>
    public static string LogPath(string work) => Path.Combine(work, "lazy-pages.log");

    /// <summary>Lets the server load what nobody asks for: all processes are rebuilt (CRIU's <c>post-restore</c>), whether or not they will run.</summary>
    public void Begin() => _holder.Begin();

    /// <summary>
    /// Ends the server of a restore that does not take place; <see cref="Completion"/> is false then, and the store stays. Without effect on
    /// one that has taken place: its processes need the server.
    /// </summary>
    public void GiveUp() => _holder.GiveUp();

    /// <summary>Ends the server, whatever it does: for one whose processes are gone.</summary>
    public async Task StopAsync()
    {
        await _disposed.CancelAsync();
        if (_server is not null)
        {
            await _server.StopAsync();
            await _server.DisposeAsync();
        }
    }

    /// <summary>Lets go. The server goes on, and looks for a holder.</summary>
    public void Dispose()
    {
        _disposed.Cancel();
        _holder.Dispose();
        _disposed.Dispose();
    }

    private async Task<IRunningProcess> StartServerAsync(CancellationToken cancellationToken)
    {
        var server = await _processes.StartAsync(new ProcessCommand(_program, ServerCommand, _store, _work), cancellationToken);
        ServerPid = server.Id;
        // Nobody waits for it: a server works in either place.
        _ = _adopt?.Invoke(server.Id);
        return _server = server;
    }

    /// <param name="server">Null for one that another daemon has started: its end shows when it has no successor.</param>
    private async Task<bool> KeepServerAsync(IRunningProcess? server)
    {
        var cancellation = _disposed.Token;
        for (var deaths = 0; ; deaths++)
        {
            if (server is not null)
            {
                await Task.WhenAny(server.WaitAsync(cancellation), _holder.Ended);
            }
            else
            {
                await Task.WhenAny(_holder.Disconnected(cancellation), _holder.Ended);
            }

            cancellation.ThrowIfCancellationRequested();
            // The last word of a server that has ended well may not have been read yet.
            await Task.WhenAny(_holder.Ended, Task.Delay(AfterDeath, cancellation));
            if (_holder.Ended.IsCompletedSuccessfully)
            {
                var loaded = await _holder.Ended;
                if (loaded)
                {
                    PageStore.Delete(_store);
                }

                return loaded;
            }

            if (deaths == MaxDeaths)
            {
                throw new MigrationException("restore", "the server for the container's memory keeps dying; the container stands still", $"its log is {LogPath(_work)}");
            }

            LogDied(_store, _holder.HeldSpaces);
            server = await StartServerAsync(cancellation);
        }
    }

    [LoggerMessage(LogLevel.Warning, "the server of {Store} died; another one takes over for {Spaces} address spaces")]
    private partial void LogDied(string store, int spaces);
}
