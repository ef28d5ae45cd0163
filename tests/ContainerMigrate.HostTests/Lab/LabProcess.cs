using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>A command that runs on a member of the lab. Disposing kills it.</summary>
public sealed partial class LabProcess : IAsyncDisposable
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly string _command;
    private readonly Pump _output;
    private readonly Pump _error;

    /// <param name="file">Program of this machine that enters the member.</param>
    public LabProcess(string file, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        _command = string.Join(' ', arguments);
        var start = new ProcessStartInfo(file, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _output = new Pump(_process.StandardOutput);
        _error = new Pump(_process.StandardError);
    }

    /// <summary>What the command reads.</summary>
    public StreamWriter Input => _process.StandardInput;

    public bool HasExited => _process.HasExited;

    public string OutputSoFar => _output.Text;

    public string ErrorSoFar => _error.Text;

    /// <summary>Returns the first line of standard output for which <paramref name="wanted"/> is true, past or future.</summary>
    /// <exception cref="TimeoutException">It did not come in time.</exception>
    /// <exception cref="CommandFailedException">The command ended without it.</exception>
    public Task<string> WaitForOutputAsync(Func<string, bool> wanted, TimeSpan? timeout = null) => WaitForAsync(_output, wanted, timeout);

    /// <inheritdoc cref="WaitForOutputAsync"/>
    public Task<string> WaitForErrorAsync(Func<string, bool> wanted, TimeSpan? timeout = null) => WaitForAsync(_error, wanted, timeout);

    /// <summary>SIGTERM.</summary>
    public void Terminate() => Signal(SigTerm);

    /// <summary>SIGINT, as Ctrl-C sends it.</summary>
    public void Interrupt() => Signal(SigInt);

    /// <summary>Waits for its end.</summary>
    /// <exception cref="TimeoutException">It still runs; it is killed then.</exception>
    public async Task<CommandResult> WaitAsync(TimeSpan timeout)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(timeout);
            // A child of it that keeps the descriptors does not keep us.
            await Task.WhenAny(Task.WhenAll(_output.End, _error.End), Task.Delay(TimeSpan.FromSeconds(5)));
        }
        catch (TimeoutException e)
        {
            _process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'{_command}' still runs after {timeout.TotalSeconds:0} s\n{_error.Text}{_output.Text}", e);
        }

        return new CommandResult(_command, _process.ExitCode, _output.Text, _error.Text);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private async Task<string> WaitForAsync(Pump pump, Func<string, bool> wanted, TimeSpan? timeout)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(30);
        using var timer = new CancellationTokenSource(limit);
        try
        {
            return await pump.FirstAsync(wanted, timer.Token)
                   ?? throw new CommandFailedException(await WaitAsync(TimeSpan.FromSeconds(10)));
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"'{_command}' did not print what was waited for within {limit.TotalSeconds:0} s\n{_error.Text}{_output.Text}", e);
        }
    }

    private void Signal(int number)
    {
        if (!_process.HasExited)
        {
            _ = Kill(_process.Id, number);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);

    /// <summary>Reads a stream to its end, and lets others wait for lines of it.</summary>
    private sealed class Pump
    {
        private readonly StringBuilder _text = new();
        private readonly ConcurrentDictionary<TaskCompletionSource, byte> _waiting = [];
        private bool _ended;

        public Pump(StreamReader reader) => End = Task.Run(() => ReadAsync(reader));

        public Task End { get; }

        public string Text
        {
            get
            {
                lock (_text)
                {
                    return _text.ToString();
                }
            }
        }

        public async Task<string?> FirstAsync(Func<string, bool> wanted, CancellationToken cancellationToken)
        {
            while (true)
            {
                var change = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting[change] = 0;
                var ended = Volatile.Read(ref _ended);
                if (Text.Split('\n').FirstOrDefault(wanted) is { } line)
                {
                    return line;
                }

                if (ended)
                {
                    return null;
                }

                await change.Task.WaitAsync(cancellationToken);
            }
        }

        private async Task ReadAsync(StreamReader reader)
        {
            var buffer = new char[4096];
            try
            {
                int read;
                while ((read = await reader.ReadAsync(buffer)) > 0)
                {
                    lock (_text)
                    {
                        _text.Append(buffer, 0, read);
                    }

                    Tell();
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // The process was disposed of.
            }

            Volatile.Write(ref _ended, true);
            Tell();
        }

        private void Tell()
        {
            foreach (var waiting in _waiting.Keys)
            {
                _waiting.TryRemove(waiting, out _);
                waiting.TrySetResult();
            }
        }
    }
}
