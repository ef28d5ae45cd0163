using System.Diagnostics;
using System.Globalization;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// A client program that reads requests and prints answers, asked without end: request n, counted from 1, is answered by a line
/// "n", and only then comes the next one. What was answered is what the user has been promised.
/// </summary>
public sealed class Conversation
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

    private readonly LabProcess _program;
    private readonly Func<int, string> _request;
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _task;
    private volatile int _answered;
    private volatile bool _stopping;
    private TimeSpan _longest;

    private Conversation(LabProcess program, Func<int, string> request)
    {
        _program = program;
        _request = request;
        _task = Task.Run(RunAsync);
    }

    /// <summary>Returns when the first answers have come.</summary>
    /// <param name="program">The client, whose end is the conversation's too.</param>
    /// <param name="request">The line that request n is.</param>
    public static async Task<Conversation> StartAsync(LabProcess program, Func<int, string> request)
    {
        var conversation = new Conversation(program, request);
        await await Task.WhenAny(conversation._begun.Task, conversation._task);
        return conversation;
    }

    /// <summary>Ends it when more than what was on the way has been answered, and returns how many were in all.</summary>
    public async Task<int> EndAsync()
    {
        var enough = _answered + 20;
        while (_answered < enough && !_task.IsCompleted)
        {
            await Task.Delay(Pace);
        }

        _stopping = true;
        await _task;
        Measured.Write($"{_answered} requests answered, the slowest after {_longest.TotalMilliseconds:0} ms");
        return _answered;
    }

    private async Task RunAsync()
    {
        while (!_stopping)
        {
            var number = _answered + 1;
            var answer = number.ToString(CultureInfo.InvariantCulture);
            var clock = Stopwatch.StartNew();
            await _program.Input.WriteLineAsync(_request(number));
            await _program.WaitForOutputAsync(l => l.TrimEnd() == answer);
            _longest = clock.Elapsed > _longest ? clock.Elapsed : _longest;
            _answered = number;
            if (number == 10)
            {
                _begun.TrySetResult();
            }

            await Task.Delay(Pace);
        }
    }
}
