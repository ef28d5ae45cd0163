using System.Globalization;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>How long the tests that move one container again and again go on: `make endurance` sets it, a usual run is short.</summary>
public static class Endurance
{
    /// <summary>MiB of memory of the programs that look after it.</summary>
    public static int MemoryMebibytes { get; } = Setting("CTM_MEMORY") ?? 64;

    /// <summary>Scale of pgbench, 15 MB each.</summary>
    public static int PgbenchScale { get; } = Setting("CTM_PGBENCH_SCALE") ?? 4;

    /// <summary>Moves in a row.</summary>
    /// <param name="usual">In a usual run.</param>
    public static int Moves(int usual) => Setting("CTM_MOVES") ?? usual;

    /// <summary>A client of port 9100 that passes lines on, and their answers back, on one connection. Returns when that is there.</summary>
    public static async Task<LabProcess> AskAsync(LabMember client, string address, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(client);
        var process = client.Start("python3", "-u", "-c", $$"""
            import socket, sys, time
            for attempt in range(600):
                try:
                    server = socket.create_connection(("{{address}}", 9100), timeout=5)
                    break
                except OSError:
                    time.sleep(0.2)
            server.settimeout(None)
            print("connected", flush=True)
            answers = server.makefile("r")
            for line in sys.stdin:
                server.sendall(line.encode())
                print(answers.readline(), end="", flush=True)
            """);
        await process.WaitForOutputAsync(l => l.StartsWith("connected", StringComparison.Ordinal), patience);
        return process;
    }

    private static int? Setting(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : null;
}
