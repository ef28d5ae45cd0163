using System.IO.Pipes;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Linux.Network;

namespace ContainerMigrate.Linux.Processes;

/// <summary>
/// One child. A thread of its own starts it (inside another namespace where that is asked for) and waits for it.
/// Its pid stays ours until that thread has reaped it, so a signal never hits a stranger.
/// </summary>
internal sealed class ChildProcess : IRunningProcess
{
    private const int Terminate = 15; // SIGTERM
    private const int KillNow = 9; // SIGKILL

    private readonly ProcessCommand _command;
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource<int> _exit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TailBuffer _error;
    private readonly CancellationTokenSource _drainEnd = new();
    private readonly AnonymousPipeClientStream _errorStream;
    private readonly Task _errorPump;
    private TimeSpan _elapsed;
    private bool _stopping;
    private bool _ended;

    private ChildProcess(ProcessCommand command, LaunchedChild child, TimeProvider time)
    {
        _command = command;
        _time = time;
        _started = time.GetTimestamp();
        Id = child.Pid;
        StandardInput = new AnonymousPipeClientStream(PipeDirection.Out, child.Input);
        StandardOutput = new AnonymousPipeClientStream(PipeDirection.In, child.Output);
        _errorStream = new AnonymousPipeClientStream(PipeDirection.In, child.Error);
        _error = new TailBuffer(command.MaxOutputBytes);
        _errorPump = PumpAsync(_errorStream, _error);
    }

    public int Id { get; }

    public bool HasEnded => _exit.Task.IsCompleted;

    public Stream StandardInput { get; }

    public Stream StandardOutput { get; }

    public string StandardError => _error.ToString();

    internal static Task<ChildProcess> StartAsync(ProcessCommand command, TimeProvider time)
    {
        var started = new TaskCompletionSource<ChildProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = DedicatedThread.RunAsync($"child {Path.GetFileName(command.Program)}", () =>
        {
            ChildProcess child;
            try
            {
                if (command.NetworkNamespacePath is { } path)
                {
                    NetworkNamespace.EnterForGood(path);
                }

                if (command.Overmounts.Count > 0)
                {
                    Overmount.ApplyForGood(command.Overmounts);
                }

                child = new ChildProcess(command, ChildLauncher.Launch(command), time);
            }
            catch (Exception exception)
            {
                started.SetException(exception as ProcessStartException ?? new ProcessStartException($"{command.Program}: {exception.Message}", exception));
                return false;
            }

            started.SetResult(child);
            child.AwaitEnd();
            return true;
        });
        return started.Task;
    }

    public async Task<ProcessResult> WaitAsync(CancellationToken cancellationToken)
    {
        var exitCode = await _exit.Task.WaitAsync(cancellationToken);
        await DrainAsync(_errorPump);
        return new ProcessResult(exitCode, "", StandardError) { OutputTruncated = _error.Truncated, Elapsed = _elapsed };
    }

    public async Task StopAsync()
    {
        Signal(Terminate);
        try
        {
            await _exit.Task.WaitAsync(_command.StopGrace, _time);
        }
        catch (TimeoutException)
        {
            Signal(KillNow);
            await _exit.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await DrainAsync(_errorPump);
        await StandardInput.DisposeAsync();
        await StandardOutput.DisposeAsync();
        await _errorStream.DisposeAsync();
        _drainEnd.Dispose();
    }

    /// <summary>Reads an output to its end into <paramref name="buffer"/>.</summary>
    internal async Task PumpAsync(Stream stream, TailBuffer buffer)
    {
        var chunk = new byte[4096];
        try
        {
            int count;
            while ((count = await stream.ReadAsync(chunk, _drainEnd.Token)) > 0)
            {
                buffer.Append(chunk.AsSpan(0, count));
            }
        }
        catch (OperationCanceledException)
        {
            // Somebody else holds the pipe; what the program itself wrote is here.
        }
    }

    /// <summary>After the program's end: gives a pump the time to read what is left, which a background process may hold open for good.</summary>
    internal async Task DrainAsync(Task pump)
    {
        try
        {
            await pump.WaitAsync(_command.DrainTime, _time);
        }
        catch (TimeoutException)
        {
            await _drainEnd.CancelAsync();
            await pump;
        }
    }

    private void AwaitEnd()
    {
        int exitCode;
        try
        {
            exitCode = WaitForChild.End(Id);
        }
        catch (IOException exception)
        {
            _exit.SetException(exception);
            return;
        }

        lock (_lock)
        {
            // The group's number is reserved until the reaping: what is left of a program that was told to stop goes with it.
            // One that ended by itself may leave a daemon behind on purpose.
            if (_stopping)
            {
                _ = Libc.Kill(-Id, KillNow);
            }

            _ended = true;
            WaitForChild.Reap(Id);
        }

        _elapsed = _time.GetElapsedTime(_started);
        _exit.SetResult(exitCode);
    }

    private void Signal(int signal)
    {
        lock (_lock)
        {
            if (_ended)
            {
                return;
            }

            _stopping = true;
            _ = Libc.Kill(-Id, signal);
        }
    }
}
