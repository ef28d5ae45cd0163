using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Migration;

/// <summary>
/// Kills either daemon before and after every single step of a migration, and every single step of the recovery from that: the container
/// never runs twice, and once both daemons are back it runs in one place, whole.
/// </summary>
public sealed class CrashTests
{
    public enum Side
    {
        Source,
        Destination,
    }

    [Fact]
    public async Task WithoutACrashItRunsOnTheDestination()
    {
        using var hosts = new TwoHosts();

        await hosts.MigrateAsync(withImage: true, withVolumes: true);

        hosts.ShouldRunOnDestination();
        hosts.Status.ExitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData(Side.Source, false, "stop-and-copy")]
    [InlineData(Side.Source, true, "stop-and-copy")]
    [InlineData(Side.Destination, false, "stop-and-copy")]
    [InlineData(Side.Destination, true, "stop-and-copy")]
    [InlineData(Side.Source, false, "precopy")]
    [InlineData(Side.Source, true, "precopy")]
    [InlineData(Side.Destination, false, "precopy")]
    [InlineData(Side.Destination, true, "precopy")]
    [InlineData(Side.Source, false, "precopy", MemoryTrackers.SoftDirty)]
    [InlineData(Side.Source, false, "postcopy")]
    [InlineData(Side.Source, true, "postcopy")]
    [InlineData(Side.Destination, false, "postcopy")]
    [InlineData(Side.Destination, true, "postcopy")]
    [InlineData(Side.Source, false, "offline")]
    [InlineData(Side.Destination, false, "offline")]
    public async Task OneCrashAnywhere(Side side, bool gateGivesUp, string mode, string tracker = MemoryTrackers.WriteProtect)
    {
        var crashes = 0;
        for (; await RunAsync(side, crashes, null, gateGivesUp, mode, tracker); crashes++)
        {
        }

        crashes.ShouldBeGreaterThan(20);
    }

    [Theory]
    [InlineData(Side.Source, Side.Source)]
    [InlineData(Side.Source, Side.Destination)]
    [InlineData(Side.Destination, Side.Source)]
    [InlineData(Side.Destination, Side.Destination)]
    public async Task AnotherCrashInTheRecovery(Side first, Side second)
    {
        var crashes = 0;
        for (var i = 0; await RunAsync(first, i, null, gateGivesUp: false); i += 3)
        {
            for (var j = 0; await RunAsync(first, i, (second, j), gateGivesUp: i % 4 == 0); j += 5)
            {
                crashes++;
            }
        }

        // How many steps a recovery takes depends on how often one side has to ask while the other is dead.
        crashes.ShouldBeGreaterThan(8);
    }

    /// <returns>False when the migration came to its end before the last of the crashes.</returns>
    private static async Task<bool> RunAsync(Side side, int at, (Side Side, int At)? again, bool gateGivesUp, string mode = "stop-and-copy", string tracker = MemoryTrackers.WriteProtect)
    {
        using var hosts = new TwoHosts(h => h.From.Tracker = tracker);
        var killed = KillAt(LifeOf(hosts, side), at);
        await hosts.MigrateAsync(Samples.Request with { Mode = mode, MaxDowntimeSeconds = 0.1 }, withVolumes: true);
        if (gateGivesUp)
        {
            hosts.To.EndGate();
        }

        var killedAgain = () => true;
        if (again is { } second && killed())
        {
            // A dead daemon's next life is the one to be killed; a living one goes on and dies in what follows.
            var (destination, source) = (hosts.Destination.IsDead, hosts.Source.IsDead);
            if (destination)
            {
                hosts.RestartDestination();
            }

            if (source)
            {
                hosts.RestartSource();
            }

            killedAgain = KillAt(LifeOf(hosts, second.Side), second.At);
            await (destination ? hosts.RecoverDestinationAsync() : Task.CompletedTask);
            await (source ? hosts.RecoverSourceAsync() : Task.CompletedTask);
        }

        await hosts.SettleAsync();
        // The one that was not killed may be left with a reservation that nobody will tell it to give up.
        hosts.Time.Advance(TwoHosts.Lease);
        await hosts.Until(() => hosts.Destination.Environment.Journals.OpenUnfinished(out _).Count == 0 || hosts.Destination.IsDead);
        await hosts.SettleAsync();
        if (hosts.From.Exists)
        {
            hosts.ShouldRunOnSource();
        }
        else
        {
            hosts.ShouldRunOnDestination();
        }

        return killed() && killedAgain();
    }

    private static DaemonLife LifeOf(TwoHosts hosts, Side side) => side == Side.Source ? hosts.Source : hosts.Destination;

    // Even numbers kill before a step's effect, odd ones after it.
    private static Func<bool> KillAt(DaemonLife life, int at)
    {
        var steps = 0;
        var note = life.After!;
        life.Before = (_, _) =>
        {
            if (steps == at)
            {
                life.Kill();
            }

            steps++;
            return Task.CompletedTask;
        };
        life.After = step =>
        {
            note(step);
            if (steps == at)
            {
                life.Kill();
            }

            steps++;
        };
        return () => life.IsDead;
    }
}
