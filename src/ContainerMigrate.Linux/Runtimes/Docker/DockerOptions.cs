namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Where dockerd is and how long it may take.</summary>
public sealed record DockerOptions
{
    /// <summary>dockerd's unix socket.</summary>
    public string SocketPath { get; init; } = "/var/run/docker.sock";

    /// <summary>Where the adapter remembers which images it brought, so that an aborted migration takes them away again.</summary>
    public string StateDirectory { get; init; } = "/var/lib/ctmigrate/docker";

    /// <summary>runc's state of Docker's containers: dockerd's <c>--exec-root</c>, then <c>runtime-runc</c>, then containerd's namespace.</summary>
    public string RuncRoot { get; init; } = "/run/docker/runtime-runc/moby";

    /// <summary>Mount point of the unified cgroup hierarchy.</summary>
    public string CgroupMount { get; init; } = "/sys/fs/cgroup";

    /// <summary>Longest time for one ordinary call.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time for a start: it lasts from before the freeze until the restored container runs.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a container may take to end after docker stop: more than anybody gives it (--stop-timeout), since a stop is always waited for.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Longest time for removing a container: dockerd kills it and deletes its layer.</summary>
    public TimeSpan RemoveTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest silence while an image is read or written.</summary>
    public TimeSpan ImageTimeout { get; init; } = TimeSpan.FromMinutes(10);
}
