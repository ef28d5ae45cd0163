namespace ContainerMigrate.Migration;

/// <summary>
/// Brings an operator's word to the handover that waits for the destination's. Whichever is there first counts: the handover takes both, one after the other.
/// Thread-safe.
/// </summary>
public sealed class OperatorDecision
{
    private const string NothingToDecide = "nothing is to be decided: it is not in doubt";

    private readonly Lock _lock = new();
    private TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource<string?>? _answer;
    private bool _isOpen;

    /// <summary>What has been asked for and not answered, one of <see cref="Api.Winners"/>; null when there is nothing.</summary>
    public string? Winner { get; private set; }

    /// <summary>Completes when something is asked for.</summary>
    public Task Asked
    {
        get
        {
            lock (_lock)
            {
                return _asked.Task;
            }
        }
    }

    /// <summary>Asks the handover to decide so.</summary>
    /// <returns>Null once it is recorded; otherwise why it is not.</returns>
    public Task<string?> DecideAsync(string winner)
    {
        lock (_lock)
        {
            if (!_isOpen || _answer is not null)
            {
                return Task.FromResult<string?>(_isOpen ? "another decision is being carried out" : NothingToDecide);
            }

            Winner = winner;
            _answer = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _asked.TrySetResult();
            return _answer.Task;
        }
    }

    /// <summary>From here on the handover listens.</summary>
    internal void Open()
    {
        lock (_lock)
        {
            _isOpen = true;
        }
    }

    /// <summary>What was asked for is done, or refused for a reason; the handover goes on listening.</summary>
    internal void Answer(string? refusal)
    {
        lock (_lock)
        {
            _answer?.TrySetResult(refusal);
            (_answer, Winner, _asked) = (null, null, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
    }

    /// <summary>It has been decided; whoever asks later is too late.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _isOpen = false;
            Answer("the destination has answered meanwhile: it has decided");
        }
    }
}
