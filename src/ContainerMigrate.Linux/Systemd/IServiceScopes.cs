namespace ContainerMigrate.Linux.Systemd;

/// <summary>Takes processes that outlive the daemon out of its service, so that no restart, stop or upgrade of that ends them.</summary>
public interface IServiceScopes
{
    /// <summary>Puts a process, and what it starts from then on, into a unit of its own. Where that cannot be done the process stays where it is.</summary>
    /// <param name="name">Of the unit, without its suffix: letters, digits, <c>-</c>, <c>.</c> and <c>_</c>.</param>
    /// <param name="description">For <c>systemctl status</c>.</param>
    /// <param name="processId">Runs.</param>
    Task AdoptAsync(string name, string description, int processId);
}
