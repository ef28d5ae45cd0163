using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A program that writes, maps, unmaps and forks without end, and knows what each of its pages must hold, is moved back and forth.</summary>
public sealed class MemoryUnderFireTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "fire";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("precopy")]
    [InlineData("stop-and-copy")]
    public async Task NoByteIsWrong(string mode)
    {
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", NumberServer.IPv4, "--init", "ctm-small:1", "python3", "/app/fire.py");
        await H1.WaitForLogAsync(Container, "listening");
        await using var client = Client.Start("python3", "-u", "-c", $$"""
            import socket, sys
            server = socket.create_connection(("{{NumberServer.IPv4}}", 9100))
            answers = server.makefile("r")
            for line in sys.stdin:
                server.sendall(line.encode())
                print(answers.readline(), end="", flush=True)
            """);
        var (from, to) = (H1, H2);
        for (var move = 1; move <= 4; move++)
        {
            var moved = await from.MigrateAsync(Container, to, "--mode", mode);
            moved.ShouldBeDone();
            moved.Rounds.ShouldBeGreaterThanOrEqualTo(mode == "precopy" ? 1 : 0);

            await client.Input.WriteLineAsync("look");
            var number = $"{move} ";
            var answer = await client.WaitForOutputAsync(l => l.StartsWith(number, StringComparison.Ordinal), Patience);
            answer.TrimEnd().ShouldBe($"{move} right");
            (from, to) = (to, from);
        }
    }
}
