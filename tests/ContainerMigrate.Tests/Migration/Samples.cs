using System.Text.Json.Nodes;
using ContainerMigrate.Api;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
using ContainerMigrate.Migration;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A container and hosts that suit each other.</summary>
internal static class Samples
{
    public static string Digest { get; } = "sha256:" + new string('a', 64);

    public static ContainerReference Reference { get; } = new("docker", new string('c', 64), "web");

    /// <summary>A volume and a directory of the host, which go along.</summary>
    public static IReadOnlyList<MountDescription> Mounts { get; } =
    [
        new("volume", "data", "/data", false) { Driver = "local", Action = VolumeActions.Copy },
        new("bind", "/srv/web", "/web", false) { Action = VolumeActions.Copy },
    ];

    public static IReadOnlyDictionary<string, string> MountDirectories { get; } = new Dictionary<string, string> { ["/data"] = "/volumes/data", ["/web"] = "/srv/web" };

    public static ContainerManifest Manifest(bool paused = false, bool withImage = false) => new()
    {
        Runtime = "docker", SourceId = Reference.Id, Name = Reference.Name, Settings = new JsonObject { ["Hostname"] = "web" }, Paused = paused,
        MemoryBytes = 64 << 20, WritableLayerBytes = 1 << 20, ProcessCount = 2,
        Image = withImage ? new ImageIdentity("app:1", Digest, [Digest], 1000) : null,
    };

    public static SourceContainer Container(bool paused = false, bool withImage = false) => new()
    {
        Reference = Reference, Manifest = Manifest(paused, withImage), InitPid = 42, CgroupDirectory = "/sys/fs/cgroup/docker/web", WritableLayerDirectory = "/layer", LogFile = "/log",
        RuncRoot = "/run/runc",
    };

    public static HostFacts Facts(string host) => new()
    {
        HostName = host, Version = "1.0", KernelRelease = "6.18.5", Architecture = "x86_64", CriuVersion = "4.2.1", CpuFlags = ["avx", "sse2"], XsaveBytes = 1000,
        AvailableMemoryBytes = 8L << 30, FreeDiskBytes = 80L << 30, LazyRestore = true, OfflineArrivals = true,
    };

    public static MigrationPlan Plan(IContainerRuntime runtime, SourceContainer? container = null, string mode = MigrationModes.StopAndCopy, string tracker = "") => new(
        new CheckReport { Container = "web", Runtime = "docker", Source = "h1", Destination = "h2", Mode = mode, Tracker = tracker, PredictedPauseMs = 700, Ok = true },
        runtime, container ?? Container(), Facts("h1"), [], new PauseEstimate([]));

    public static MigrateRequest Request { get; } = new() { Container = "web", Host = "h2" };
}
