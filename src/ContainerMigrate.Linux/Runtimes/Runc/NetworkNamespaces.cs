using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>Named network namespaces, as <c>ip netns</c> keeps them.</summary>
internal static class NetworkNamespaces
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    public static string PathOf(string name) => "/run/netns/" + name;

    /// <exception cref="MigrationException">It could not be made.</exception>
    public static async Task AddAsync(IProcessRunner processes, string name, CancellationToken cancellationToken)
    {
        var result = await processes.RunAsync(new ProcessCommand("ip", "netns", "add", name) { Timeout = Timeout }, cancellationToken);
        if (!result.Succeeded)
        {
            throw new MigrationException("restore", $"ip netns add {name}: {result.FailureReason}");
        }
    }

    /// <summary>Success when there is none.</summary>
    public static async Task DeleteAsync(IProcessRunner processes, string name, CancellationToken cancellationToken)
    {
        if (File.Exists(PathOf(name)))
        {
            await processes.RunAsync(new ProcessCommand("ip", "netns", "del", name) { Timeout = Timeout }, cancellationToken);
        }
    }
}
