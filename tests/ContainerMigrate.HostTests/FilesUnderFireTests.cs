using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// A program that changes its files at random without end, in every way that there is, and knows what each of them must hold, is moved
/// back and forth: it finds all of them as it left them.
/// </summary>
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
}
