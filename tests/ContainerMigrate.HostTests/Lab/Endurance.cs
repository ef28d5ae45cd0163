using System.Globalization;

namespace ContainerMigrate.HostTests.Lab;

/// <summary>How long the tests that move one container again and again go on: `make endurance` sets it, a usual run is short.</summary>
public static class Endurance
{
    /// <summary>MiB of memory of the programs that look after it.</summary>
    public static int MemoryMebibytes { get; } = Setting("CTM_MEMORY") ?? 64;

    /// <summary>Moves in a row.</summary>
    /// <param name="usual">In a usual run.</param>
    public static int Moves(int usual) => Setting("CTM_MOVES") ?? usual;

    /// <summary>A client of port 9100 that passes lines on, and their answers back, on one connection.</summary>
    public static LabProcess Ask(LabMember client, string address)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client.Start("python3", "-u", "-c", $$"""
            import socket, sys
            server = socket.create_connection(("{{address}}", 9100))
            answers = server.makefile("r")
            for line in sys.stdin:
                server.sendall(line.encode())
                print(answers.readline(), end="", flush=True)
            """);
    }

    private static int? Setting(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : null;
}
