namespace ContainerMigrate.Journal;

/// <summary>A journal cannot be trusted; an operator has to look at it.</summary>
public sealed class JournalDamagedException(int record, string reason) : Exception($"journal record {record} is damaged: {reason}")
{
    /// <summary>Number of the damaged record, from 1.</summary>
    public int Record { get; } = record;
}
