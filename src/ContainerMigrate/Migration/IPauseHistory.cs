namespace ContainerMigrate.Migration;

/// <summary>Pauses of the last migrations from this host, for each destination and runtime.</summary>
public interface IPauseHistory
{
    /// <summary>Oldest first; empty when there is none, or none that can be used, which is logged.</summary>
    IReadOnlyList<PauseSample> Read(string peer, string runtime);

    /// <summary>Keeps one more, in the place of the oldest. That it could not is logged: a prediction is not worth a failure.</summary>
    void Add(string peer, string runtime, PauseSample sample);
}
