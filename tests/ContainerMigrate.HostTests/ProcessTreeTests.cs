using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A tree of processes arrives with everything that it held: each item looks at itself after the move, see tree.py.</summary>
public sealed class ProcessTreeTests(LabFixture lab) : HostTest(lab)
{
    private static readonly string[] Items =
    [
        "identity", "threads", "credentials", "zombie_stopped_and_orphan",
        "private_memory", "anonymous_shared_memory", "mapped_files", "posix_shared_memory", "system_v_ipc",
        "open_and_deleted_files", "shared_offset", "file_locks",
        "pipes", "unix_sockets", "loopback_sockets", "pseudo_terminal",
        "event_descriptors", "timers", "pending_signals", "crowd",
    ];

    [Theory]
    [InlineData("docker", 0)]
    [InlineData("docker", 30)]
    [InlineData("runc", 0)]
    public async Task ArrivesWithEverythingItHeld(string runtime, int moreProcesses)
    {
        await using var tree = await ProcessTree.StartAsync(H1, Client, runtime, moreProcesses);
        (await tree.ItemsAsync()).ShouldBe(Items);

        (await H1.MigrateAsync(tree.Container.Name, H2)).ShouldBeDone();

        await tree.Container.ShouldHaveMovedAsync(H1, H2);
        (await tree.VerifyAsync()).ShouldBe(Items.Select(i => i + " ok"), ignoreOrder: true);
        await ShouldBeAsBeforeAsync(H1);
    }
}
