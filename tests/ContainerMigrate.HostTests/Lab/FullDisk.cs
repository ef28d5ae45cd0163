namespace ContainerMigrate.HostTests.Lab;

/// <summary>A small file system of its own for the migrations of a host, which can be filled to the last byte.</summary>
public static class FullDisk
{
    public const string Migrations = "/var/lib/ctmigrate/migrations";

    private const string File = Migrations + "/full";

    /// <summary>Nothing more can be written there.</summary>
    public static async Task BeginAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        await host.TryAsync("sh", "-c", $"exec dd if=/dev/zero of={File} bs=1M 2>/dev/null");
    }

    /// <summary>There is room again, if there was none.</summary>
    public static Task EndAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.RunAsync("rm", "-f", File);
    }
}
