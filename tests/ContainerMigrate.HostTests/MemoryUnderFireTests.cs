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
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", NumberServer.IPv4, "--init", "-e", $"MEMORY={Endurance.MemoryMebibytes}", "ctm-small:1", "python3", "/app/fire.py");
        await using var client = await ConnectAsync();
        var (from, to) = (H1, H2);
        for (var move = 1; move <= Endurance.Moves(4); move++)
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

    [Fact]
    public async Task MovesOnBeforeItsMemoryIsInPlace()
    {
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", NumberServer.IPv4, "--init", "ctm-small:1", "python3", "-c", """
            import hashlib, os, socket
            memory = b"".join(os.urandom(1 << 20) for _ in range(768))
            digest = hashlib.blake2b(memory).digest()
            server = socket.create_server(("", 9100))
            print("listening", flush=True)
            lines = server.accept()[0].makefile("rw")
            for number, _ in enumerate(lines, 1):
                print(number, "right" if hashlib.blake2b(memory).digest() == digest else "wrong", file=lines, flush=True)
            """);
        await using var client = await ConnectAsync();
        // What fills memory in on h2 stands still for a while as soon as the container runs there.
        await using var brake = H2.Start("sh", "-c", $$"""
            until docker ps -q --filter name={{Container}} --filter status=running | grep -q .; do sleep 0.01; done
            for process in /proc/[0-9]*; do
                [ "$process/ns/net" -ef /proc/self/ns/net ] && tr '\0' ' ' <"$process/cmdline" | grep -q '^[^ ]*ctmigrated lazy-pages ' || continue
                kill -STOP "${process#/proc/}" && echo stopped && sleep 4 && kill -CONT "${process#/proc/}"
            done
            """);
        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
        (await brake.WaitForOutputAsync(_ => true, Patience)).ShouldBe("stopped");
        foreach (var (from, to) in new[] { (H2, H1), (H1, H2) })
        {
            (await from.MigrateAsync(Container, to)).ShouldBeDone();
        }

        await client.Input.WriteLineAsync("look");
        (await client.WaitForOutputAsync(l => l.StartsWith("1 ", StringComparison.Ordinal), Patience)).TrimEnd().ShouldBe("1 right");
    }

    private async Task<LabProcess> ConnectAsync()
    {
        await H1.WaitForLogAsync(Container, "listening", Patience);
        return await Endurance.AskAsync(Client, NumberServer.IPv4, Patience);
    }
}
