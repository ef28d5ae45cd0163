namespace ContainerMigrate.Linux.Processes;

/// <summary>A program could not be started: there is none, or it may not be executed.</summary>
public sealed class ProcessStartException(string message, Exception? innerException = null) : IOException(message, innerException);
