using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class NetworkNamespaceTests
{
    [Fact]
    public async Task LeavesNoOtherThreadInside()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();
        var outside = Here();

        var inside = await NetworkNamespace.RunAsync(ns.Path, Here);

        inside.ShouldNotBe(outside);
        // The continuation, the pool, and every thread of this process that is left.
        Here().ShouldBe(outside);
        var workers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(Here, CancellationToken.None)));
        workers.ShouldAllBe(worker => worker == outside);
    }

    [Fact]
    public async Task TellsTheHostsNamespaceFromOthers()
    {
        await using var ns = await ScratchNetworkNamespace.CreateAsync();

        NetworkNamespace.IsHosts("/proc/self/ns/net").ShouldBeTrue();
        NetworkNamespace.IsHosts(ns.Path).ShouldBeFalse();
        NetworkNamespace.IsGone(ns.Path).ShouldBeFalse();
        NetworkNamespace.IsGone("/run/netns/no-such-namespace").ShouldBeTrue();
    }

    [Fact]
    public async Task SaysWhenThereIsNothingToEnter() =>
        await Should.ThrowAsync<IOException>(() => NetworkNamespace.RunAsync("/proc/4194304/ns/net", () => 0));

    private static string? Here() => new FileInfo("/proc/thread-self/ns/net").LinkTarget;
}
