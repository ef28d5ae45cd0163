namespace ContainerMigrate.Migration;

/// <summary>Splits a span of time into named parts.</summary>
public sealed class PhaseClock(TimeProvider time)
{
    private readonly Dictionary<string, double> _parts = [];
    private long _start = time.GetTimestamp();
    private long _last = time.GetTimestamp();
    private double _left;

    /// <summary>Milliseconds of each part, in order.</summary>
    public IReadOnlyDictionary<string, double> Parts => _parts;

    /// <summary>Milliseconds since <see cref="Restart"/> or construction, without what <see cref="Leave"/> took out.</summary>
    public double TotalMs => time.GetElapsedTime(_start).TotalMilliseconds - _left;

    public void Restart()
    {
        _parts.Clear();
        _left = 0;
        _start = _last = time.GetTimestamp();
    }

    /// <summary>Gives the time since the last mark to <paramref name="part"/>.</summary>
    public void Mark(string part)
    {
        var now = time.GetTimestamp();
        _parts[part] = Math.Round(_parts.GetValueOrDefault(part) + time.GetElapsedTime(_last, now).TotalMilliseconds, 1);
        _last = now;
    }

    /// <summary>Takes a part, and its time, out of the whole.</summary>
    public void Leave(string part)
    {
        if (_parts.Remove(part, out var milliseconds))
        {
            _left += Math.Clamp(milliseconds, 0, TotalMs); // a peer's word
        }
    }

    /// <summary>Puts the peer's own parts in the place of one of ours, and leaves what they do not explain under its name.</summary>
    public void Split(string part, IReadOnlyDictionary<string, double>? inner)
    {
        if (inner is null || !_parts.Remove(part, out var whole))
        {
            return;
        }

        foreach (var (name, milliseconds) in inner)
        {
            _parts[name] = _parts.GetValueOrDefault(name) + milliseconds;
            whole -= milliseconds;
        }

        _parts[part] = Math.Round(Math.Max(0, whole), 1);
    }
}
