using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>What clients send in the pause reaches the container once, where it runs in the end.</summary>
public sealed class PacketsOfThePauseTests
{
    [Fact]
    public async Task AreDeliveredOnTheDestination()
    {
        using var hosts = Busy();

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        // Two streams, each in its order.
        hosts.To.Packets.Delivered.Where(p => p[0] < 3).ShouldBe([[1], [2, 2]]);
        hosts.To.Packets.Delivered.Count(p => p[0] == 3).ShouldBe(1);
        hosts.From.Packets.Delivered.ShouldBeEmpty();
        hosts.Status.Result!.KeptPackets.ShouldBe(new PacketTotals(Kept: 3, Bytes: 4, Delivered: 3, Dropped: 0));
    }

    [Theory]
    [InlineData("dump")]
    [InlineData("call prepare")]
    public async Task AreDeliveredOnTheSourceAfterAFailure(string step)
    {
        using var hosts = Busy();
        hosts.Source.Before = (s, _) => s == step ? throw new MigrationException("test", "no more") : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.From.Packets.Delivered.ShouldBe([[1], [2, 2]]);
        hosts.To.Packets.Delivered.ShouldBeEmpty();
    }

    [Fact]
    public async Task AreDeliveredOnTheSourceWhenTheDestinationGaveUpBeforeGo()
    {
        using var hosts = Busy();
        hosts.Destination.Before = (s, _) => s == "claim" ? GiveUp(hosts) : Task.CompletedTask;

        await hosts.MigrateAsync();

        hosts.ShouldRunOnSource();
        hosts.From.Packets.Delivered.ShouldBe([[1], [2, 2]]);
        hosts.To.Packets.Delivered.ShouldBeEmpty();
    }

    [Fact]
    public async Task AreLostWhereAKernelCannotKeepThemAndNothingElseIs()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.Status.Result!.KeptPackets.ShouldBeNull();
    }

    [Fact]
    public async Task AreStillKeptOnTheSourceWhenOnlyTheDestinationCannot()
    {
        using var hosts = new TwoHosts(h => h.From.Packets.Arriving = [[1]]);

        await hosts.MigrateAsync();

        hosts.ShouldRunOnDestination();
        hosts.To.Packets.Delivered.ShouldBe([[1]]);
        hosts.Status.Result!.KeptPackets.ShouldBe(new PacketTotals(Kept: 1, Bytes: 1, Delivered: 1, Dropped: 0));
    }

    private static TwoHosts Busy() => new(h =>
    {
        h.From.Packets.Arriving = [[1], [2, 2]];
        h.To.Packets.Arriving = [[3]];
    });

    // The gate has given up by itself: what is held is gone before it is claimed.
    private static Task GiveUp(TwoHosts hosts)
    {
        hosts.To.Arrival!.Commit = false;
        hosts.To.Arrival.Held = false;
        return Task.CompletedTask;
    }
}
