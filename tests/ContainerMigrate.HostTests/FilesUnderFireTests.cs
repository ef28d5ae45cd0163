using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A program that changes its files at random without end, in every way that there is, and knows what each of them must hold, is moved
/// back and forth: it finds all of them as it left them.
/// </summary>
[Trait("docker", "any")]
public sealed class FilesUnderFireTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "files-fire";
    private const int Moves = 3;

    [Theory]
    [InlineData("docker", "precopy")]
    [InlineData("docker", "stop-and-copy")]
    [InlineData("runc", "precopy")]
    public async Task EveryFileIsWhatItWas(string runtime, string mode)
    {
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["python3", "-u", "-c", FireProgram.Text]);
        await using var client = await FireClient.ConnectAsync(Client);
        await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken); // some hundred files
        var (from, to) = (H1, H2);
        for (var move = 1; move <= Moves; move++)
        {
            var moved = await from.MigrateAsync(Container, to, "--mode", mode);
            moved.ShouldBeDone();
            moved.FilesInPauseBytes.ShouldBeInRange(0, moved.FilesAheadBytes / 2);

            await client.ShouldFindAllRightAsync();
            (from, to) = (to, from);
        }
    }

    // The source's copy of the volume is kept as it was when the container was frozen for good.
    [Fact]
    public async Task VolumeIsTheSameToTheLastByteWhenItIsHandedOver()
    {
        const string Volume = "/var/lib/docker/volumes/fire/_data";
        await using var first = await TreePictures.BeginAsync(H1, Volume);
        await using var second = await TreePictures.BeginAsync(H2, Volume);
        await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["python3", "-u", "-c", FireProgram.Text], ["fire:/fire"], []);
        await using var client = await FireClient.ConnectAsync(Client);
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // some hundred files
        var (from, to, there, here) = (H1, H2, first, second);
        for (var move = 1; move <= Endurance.Moves(3); move++)
        {
            (await from.MigrateAsync(Container, to, "--keep-volumes")).ShouldBeDone();

            var frozen = (await there.TakeAsync()).Split('\n');
            var arrived = (await here.TakenAtArrivalAsync()).Split('\n');
            arrived.Length.ShouldBeGreaterThan(50);
            arrived.Except(frozen).Concat(frozen.Except(arrived)).ShouldBeEmpty($"lines that differ, move {move}");
            await client.ShouldFindAllRightAsync();
            await from.RunAsync("docker", "volume", "rm", "fire");
            (from, to, there, here) = (to, from, here, there);
        }
    }
}
