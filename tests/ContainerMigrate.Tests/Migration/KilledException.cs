namespace ContainerMigrate.Tests.Migration;

/// <summary>What the rest of a killed daemon runs into where it cannot wait for ever.</summary>
internal sealed class KilledException() : Exception("this daemon was killed");
