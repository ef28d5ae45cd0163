namespace ContainerMigrate.Tests.Daemon;

/// <summary>The system's time, moved by whatever a test wants.</summary>
internal sealed class SettableTime : TimeProvider
{
    public TimeSpan Offset { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
}
