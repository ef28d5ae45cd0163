namespace ContainerMigrate.Linux.Host;

/// <summary>What <see cref="HostInspector"/> is told about this host.</summary>
public sealed record HostInspectorOptions
{
    /// <summary>What this host calls itself in every report.</summary>
    public required string HostName { get; init; }

    /// <summary>Version of ContainerMigrate.</summary>
    public required string Version { get; init; }

    /// <summary>Path or name of the CRIU binary.</summary>
    public string Criu { get; init; } = "criu";

    /// <summary>Where images are received.</summary>
    public string StateDirectory { get; init; } = "/var/lib/ctmigrate";

    /// <summary>Where Docker keeps its containers; left out of the disk space where it does not exist.</summary>
    public string DockerDirectory { get; init; } = "/var/lib/docker";

    /// <summary>The runtime wrapper that has to be found first as <c>runc</c>.</summary>
    public string Wrapper { get; init; } = "/usr/lib/ctmigrate/ctmigrate-runc";

    /// <summary>Where containerd looks for <c>runc</c>: the path that systemd gives to services.</summary>
    public string ServicePath { get; init; } = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}
