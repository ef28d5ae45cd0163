namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// The image of the real services, ctm-apps:1. Only h1 has it; h2 gets what it lacks of it as it does from any migration, by the
/// first move, and loses it at the end.
/// </summary>
public sealed class AppsImage(LabFixture lab) : IAsyncLifetime
{
    public const string Name = "ctm-apps:1";

    private bool _brought;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (await IdOnAsync(lab.H2) != "")
        {
            return;
        }

        _brought = true;
        await lab.H1.DockerRunAsync("first", "--network", "lan", Name, "sleep", "infinity");
        try
        {
            var moved = await lab.H1.MigrateAsync("first", lab.H2);
            moved.ShouldBeDone();
            (await IdOnAsync(lab.H2)).ShouldBe(await IdOnAsync(lab.H1), "the image's id on h2 and h1");
        }
        finally
        {
            foreach (var host in lab.Hosts)
            {
                await host.RemoveContainersAsync();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_brought)
        {
            await lab.H2.TryAsync("docker", "rmi", Name);
        }
    }

    private static async Task<string> IdOnAsync(LabHost host) => await host.RunAsync("docker", "images", "-q", "--no-trunc", Name);
}
