using System.Text;

namespace ContainerMigrate.Linux.Processes;

/// <inheritdoc cref="IProcessRunner"/>
public sealed class ProcessRunner(TimeProvider? timeProvider = null) : IProcessRunner
{
    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;

    /// <inheritdoc/>
    public async Task<IRunningProcess> StartAsync(ProcessCommand command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        cancellationToken.ThrowIfCancellationRequested();
        return await ChildProcess.StartAsync(command, _time);
    }

    /// <inheritdoc/>
    public async Task<ProcessResult> RunAsync(ProcessCommand command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        cancellationToken.ThrowIfCancellationRequested();
        ChildProcess started;
        try
        {
            started = await ChildProcess.StartAsync(command, _time);
        }
        catch (ProcessStartException exception)
        {
            return new ProcessResult(ProcessResult.NotStarted, "", exception.Message);
        }

        await using var child = started;
        var output = new TailBuffer(command.MaxOutputBytes);
        var outputPump = child.PumpAsync(child.StandardOutput, output);
        var inputPump = FeedAsync(child.StandardInput, command.StandardInput);
        var timedOut = await WaitForEndAsync(child, command.Timeout, cancellationToken);
        var result = await child.WaitAsync(CancellationToken.None);
        await child.DrainAsync(outputPump);
        // Ends by itself: a program that is gone leaves nobody to read, which the feeder takes as the end.
        await child.StandardInput.DisposeAsync();
        await inputPump;
        return result with
        {
            StandardOutput = output.ToString(),
            OutputTruncated = result.OutputTruncated || output.Truncated,
            TimedOut = timedOut,
        };
    }

    /// <returns>True when the timeout ended it.</returns>
    private async Task<bool> WaitForEndAsync(ChildProcess child, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout ?? Timeout.InfiniteTimeSpan, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await child.WaitAsync(either.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            await child.StopAsync();
            cancellationToken.ThrowIfCancellationRequested();
            return true;
        }
    }

    private static async Task FeedAsync(Stream input, string? text)
    {
        try
        {
            if (text is not null)
            {
                await input.WriteAsync(Encoding.UTF8.GetBytes(text));
            }

            await input.DisposeAsync();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The program did not read all of it; its exit code says whether that matters.
        }
    }
}
