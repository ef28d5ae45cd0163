using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>The rules in force: those of the variable, or of the file that it names as <c>@FILE</c>, which is read again when it has changed and may be missing.</summary>
internal sealed class FaultRules
{
    private readonly IReadOnlySet<string> _points;
    private readonly string? _file;
    private readonly Lock _lock = new();
    private List<FaultRule> _left = [];
    private (DateTime Written, long Length) _version;

    /// <exception cref="ConfigurationException">A rule is wrong.</exception>
    public FaultRules(string text, IReadOnlySet<string> points)
    {
        _points = points;
        if (text.StartsWith('@'))
        {
            _file = text[1..];
            ReadFile(_file);
        }
        else
        {
            _left = [.. FaultRule.ParseAll(text, points)];
        }
    }

    /// <summary>What is to happen now; null: nothing. A rule is used up by it.</summary>
    public FaultAction? Take(string point, bool before)
    {
        lock (_lock)
        {
            if (_file is not null)
            {
                ReadFile(_file);
            }

            var index = _left.FindIndex(r => r.Point == point && r.Before == before);
            if (index < 0)
            {
                return null;
            }

            var action = _left[index].Action;
            _left.RemoveAt(index);
            return action;
        }
    }

    private void ReadFile(string file)
    {
        var info = new FileInfo(file);
        var version = info.Exists ? (info.LastWriteTimeUtc, info.Length) : default;
        if (version != _version)
        {
            _left = info.Exists ? [.. FaultRule.ParseAll(File.ReadAllText(file), _points)] : [];
            _version = version;
        }
    }
}
