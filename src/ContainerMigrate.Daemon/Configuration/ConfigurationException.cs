namespace ContainerMigrate.Daemon.Configuration;

/// <summary>The daemon cannot start as it is set up; the message names the file or key and what to do.</summary>
internal sealed class ConfigurationException(string message, Exception? innerException = null) : Exception(message, innerException);
