using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests.Matrix;

/// <summary>Something that happens to a migration which is held.</summary>
/// <param name="Name">As in the report.</param>
/// <param name="IsKill">A process is killed: these cells are always run, the others in the whole matrix.</param>
/// <param name="BeginAsync">Makes it happen; returns why it cannot happen at this moment, or null.</param>
public sealed record Fault(string Name, bool IsKill, Func<Cell, Task<string?>> BeginAsync)
{
    /// <summary>Before the migration starts.</summary>
    public Func<Cell, Task>? PrepareAsync { get; init; }

    /// <summary>After the migration was let go on: ends what makes it impossible to come to an end.</summary>
    public Func<Cell, Task>? RepairAsync { get; init; }

    /// <summary>First and last moment at which there is certainly something for it; null: always. At others the whole matrix tries it all the same.</summary>
    public (string First, string Last)? Exists { get; init; }

    /// <summary>A process is stopped, and stays so for a while or for good.</summary>
    public bool IsHang { get; init; }

    /// <summary>Why it cannot happen at other moments.</summary>
    public string Otherwise { get; init; } = "";

    /// <summary>The container's processes on that host cannot outlive it.</summary>
    public Func<Cell, LabHost>? Destroys { get; init; }

    /// <summary>The program may meet an error there, which is a known limit: see "Who owns the container".</summary>
    public Func<Moment, bool> IsLimit { get; init; } = _ => false;

    /// <summary>The restored tree dies with it: as long as nothing of it has run, the destination may give the container back after its claim.</summary>
    public bool MayGiveBack { get; init; }

    /// <summary>All, in the order of the report.</summary>
    public static IReadOnlyList<Fault> All { get; } =
    [
        KillDaemon("source daemon killed", c => c.Source),
        KillDaemon("destination daemon killed", c => c.Destination),
        Kill("gate holder killed", c => c.Destination, "4 prepared", "6 committed, not run", "no hook waits at a gate", (program, command) => program != "ctmigrated" && command.Contains("ctmigrate-criu-hook", StringComparison.Ordinal)) with { MayGiveBack = true },
        Kill("CRIU killed on the source", c => c.Source, "3 frozen", "3 frozen, dumping", "no CRIU runs there", IsCriu) with { IsLimit = m => m.InCriu },
        Kill("CRIU killed on the destination", c => c.Destination, "4 receiving, restoring", "6 committed, not run", "no CRIU runs there", IsCriu) with { MayGiveBack = true },
        Kill("runc killed on the source", c => c.Source, "3 frozen", "3 frozen, dumping", "no runc runs there", IsRunc),
        Kill("runc killed on the destination", c => c.Destination, "4 receiving, restoring", "6 committed, not run", "no runc runs there", IsRunc) with { MayGiveBack = true },
        Kill("shim killed on the source", c => c.Source, "1 planned, reserved", "6 source told", "there is no container any more", IsShim) with { Destroys = c => c.Source },
        Kill("shim killed on the destination", c => c.Destination, "3 frozen, sent", "7 destination done", "no container is started there yet", IsShim) with { Destroys = c => c.Destination, MayGiveBack = true },
        new("link dropped for 1 s", false, async c =>
        {
            await LabFixture.LabAsync("link", c.Destination.Name, "down");
            return null;
        })
        {
            RepairAsync = async c =>
            {
                await Task.Delay(TimeSpan.FromSeconds(1));
                await LabFixture.LabAsync("link", c.Destination.Name, "up");
            },
        },
        new("link half-open for 2 s", false, async c =>
        {
            await c.Destination.RunAsync("nft", "table inet cut { chain output { type filter hook output priority 0; tcp dport 7440 drop; tcp sport 7440 drop; }; }");
            return null;
        })
        {
            RepairAsync = async c =>
            {
                await Task.Delay(TimeSpan.FromSeconds(2));
                await CutLink.EndAsync(c.Destination);
            },
        },
        new("link slow (100 kB/s by nft)", false, async c =>
        {
            await c.Source.RunAsync("nft", "table inet crawl { chain output { type filter hook output priority 0; tcp dport 7440 limit rate over 100 kbytes/second burst 16 kbytes drop; }; }");
            return null;
        })
        {
            RepairAsync = async c =>
            {
                await Task.Delay(TimeSpan.FromSeconds(4));
                await CrawlingLink.EndAsync(c.Source);
            },
        },
        new("link repaired late", false, async c =>
        {
            await LabFixture.LabAsync("link", c.Destination.Name, "down");
            return null;
        })
        {
            RepairAsync = async c =>
            {
                await Task.Delay(Cell.BeyondAllLimits);
                await LabFixture.LabAsync("link", c.Destination.Name, "up");
            },
        },
        FillDisk("source's journal disk full", c => c.Source),
        FillDisk("destination's journal and memory disk full", c => c.Destination),
        new("destination's memory full (CRIU's by ulimit)", false, _ => Task.FromResult<string?>(null))
        {
            Exists = ("4 receiving, restoring", "4 receiving, restoring"),
            Otherwise = "no CRIU restores then, and the lab has no memory controller for others",
            PrepareAsync = async c => c.Undo(await AlteredCriu.LimitedAsync(c.Destination, "-v 30000")),
        },
        Hang("source daemon hung for 8 s", c => c.Source, ("1 planned, reserved", "7 destination done"), "", IsDaemon, TimeSpan.FromSeconds(8)),
        Hang("destination daemon hung for 8 s", c => c.Destination, ("1 planned, reserved", "7 destination done"), "", IsDaemon, TimeSpan.FromSeconds(8)),
        Hang("dockerd hung on the source for 8 s", c => c.Source, ("1 planned, reserved", "7 destination done"), "", IsDocker, TimeSpan.FromSeconds(8)),
        Hang("dockerd hung on the destination for 8 s", c => c.Destination, ("1 planned, reserved", "7 destination done"), "", IsDocker, TimeSpan.FromSeconds(8)),
        Hang("CRIU hung on the source", c => c.Source, ("3 frozen", "3 frozen, dumping"), "no CRIU runs there", IsCriu) with { IsLimit = m => m.InCriu },
        Hang("CRIU hung on the destination", c => c.Destination, ("4 receiving, restoring", "6 committed, not run"), "no CRIU runs there", IsCriu) with { MayGiveBack = true },
        Hang("runc hung on the source", c => c.Source, ("3 frozen", "3 frozen, dumping"), "no runc runs there", IsRunc),
        Hang("runc hung on the destination", c => c.Destination, ("4 receiving, restoring", "6 committed, not run"), "no runc runs there", IsRunc) with { MayGiveBack = true },
        Reboot("source rebooted", c => c.Source),
        Reboot("destination rebooted", c => c.Destination),
    ];

    /// <summary>Whether there is something for it then.</summary>
    public bool ExistsAt(Moment moment)
    {
        var names = Moment.All.Select(m => m.Name).ToList();
        return Exists is not { } range || (names.IndexOf(moment.Name) >= names.IndexOf(range.First) && names.IndexOf(moment.Name) <= names.IndexOf(range.Last));
    }

    public override string ToString() => Name;

    /// <summary>CRIU, or the script that stands for it until there is work.</summary>
    public static bool IsCriu(string program, string command) => program == "criu" || command.Contains("criu-path/criu ", StringComparison.Ordinal);

    private static bool IsShim(string program, string command) => program.StartsWith("containerd-shim", StringComparison.Ordinal) && command.Contains(" -id ", StringComparison.Ordinal);

    private static bool IsDaemon(string program, string command) => program == "ctmigrated" && command.StartsWith("/usr/sbin/ctmigrated", StringComparison.Ordinal);

    private static bool IsDocker(string program, string command) => program == "dockerd";

    private static bool IsRunc(string program, string command) => program == "runc";

    private static Fault KillDaemon(string name, Func<Cell, LabHost> host) => new(name, true, async cell =>
    {
        await HostProcesses.SignalAsync(HostProcesses.Find(host(cell), IsDaemon), "KILL");
        return null;
    })
    {
        RepairAsync = cell => host(cell).DaemonAsync("start"),
    };

    private static Fault Kill(string name, Func<Cell, LabHost> host, string first, string last, string otherwise, Func<string, string, bool> wanted) => new(name, true, async cell =>
    {
        var victims = HostProcesses.Find(host(cell), wanted);
        await HostProcesses.SignalAsync(victims, "KILL");
        return victims.Count == 0 ? otherwise : null;
    })
    {
        Exists = (first, last),
        Otherwise = otherwise,
    };

    // What hangs for good has to be ended by whoever waits for it.
    private static Fault Hang(string name, Func<Cell, LabHost> host, (string First, string Last) exists, string otherwise, Func<string, string, bool> wanted, TimeSpan? length = null) => new(name, false, async cell =>
    {
        var victims = HostProcesses.Find(host(cell), wanted);
        await HostProcesses.SignalAsync(victims, "STOP");
        return victims.Count == 0 ? otherwise : null;
    })
    {
        IsHang = true,
        Exists = exists,
        Otherwise = otherwise,
        RepairAsync = length is not { } time ? null : async cell =>
        {
            await Task.Delay(time);
            await HostProcesses.SignalAsync(HostProcesses.Find(host(cell), wanted), "CONT");
        },
    };

    // Of 192 MiB, and only while the cell lasts: journals on it are gone afterwards.
    private static Fault FillDisk(string name, Func<Cell, LabHost> host) => new(name, false, async cell =>
    {
        await host(cell).ShellAsync($"dd if=/dev/zero of={Cell.Journals}/fill bs=64k 2>/dev/null || true");
        return null;
    })
    {
        PrepareAsync = cell => host(cell).ShellAsync($"mount -t tmpfs -o size=192m,mode=700 tmpfs {Cell.Journals}"),
        RepairAsync = async cell =>
        {
            await Task.Delay(TimeSpan.FromSeconds(2));
            await host(cell).RunAsync("rm", "-f", $"{Cell.Journals}/fill");
        },
    };

    private static Fault Reboot(string name, Func<Cell, LabHost> host) => new(name, false, async cell =>
    {
        await LabFixture.LabAsync("reboot", host(cell).Name);
        return null;
    })
    {
        Destroys = host,
    };
}
