using ContainerMigrate.Migration;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Pauses in memory.</summary>
internal sealed class RememberedPauses : IPauseHistory
{
    public List<(string Peer, string Runtime, PauseSample Sample)> All { get; } = [];

    public IReadOnlyList<PauseSample> Read(string peer, string runtime) => [.. All.Where(p => p.Peer == peer && p.Runtime == runtime).Select(p => p.Sample)];

    public void Add(string peer, string runtime, PauseSample sample) => All.Add((peer, runtime, sample));
}
