using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Migration;

/// <summary>What of a host outlives its daemon: the container that is there, the one that arrives, and the journals.</summary>
internal sealed class Machine(string name, string directory)
{
    public static readonly JsonObject Always = new() { ["policy"] = "always" };

    public string Name => name;

    public string Directory => directory;

    public Dictionary<string, JournalFile> Journals { get; } = [];

    public MachinePackets Packets { get; } = new();

    /// <summary>Those that are mounted into the container.</summary>
    public HashSet<string> Directories { get; } = [];

    /// <summary>Docker's volumes, with the migration that has made them.</summary>
    public Dictionary<string, string> Volumes { get; } = [];

    /// <summary>What has become of the container that leaves by somebody else's doing; null when nothing has.</summary>
    public ContainerLife? Life { get; set; }

    /// <summary>The container that leaves.</summary>
    public bool Exists { get; set; }

    public bool Frozen { get; set; }

    /// <summary>What the container that leaves may use, and was given at first.</summary>
    public CpuLimit Cpu { get; set; } = GivenCpu;

    public static CpuLimit GivenCpu { get; } = new(150_000, 100_000);

    public bool Fenced { get; set; }

    /// <summary>The container that leaves was stopped.</summary>
    public bool Stopped { get; set; }

    /// <summary>How often the container that leaves was started again.</summary>
    public int Starts { get; set; }

    /// <summary>How written memory is found, one of <see cref="MemoryTrackers"/>.</summary>
    public string Tracker { get; set; } = MemoryTrackers.WriteProtect;

    /// <summary>Somebody is about to dump the container.</summary>
    public bool DumpHeld { get; set; }

    public bool Refused { get; set; }

    /// <summary>As JSON; null is the policy that never restarts.</summary>
    public string? Policy { get; set; } = Always.ToJsonString();

    /// <summary>Of the container that leaves.</summary>
    public RunningMemory Memory { get; } = new();

    /// <summary>Memory that has arrived, by address; null when none is kept.</summary>
    public Dictionary<ulong, byte>? ArrivedPages { get; set; }

    /// <summary>What of the container that comes its source alone has.</summary>
    public PageSet MissingPages { get; } = new();

    /// <summary>What that was at first, in bytes.</summary>
    public long MissingTotal { get; set; }

    /// <summary>The container that came is frozen, since its source does not answer.</summary>
    public bool StandsStill { get; set; }

    /// <summary>The container that comes; null when there is none.</summary>
    public Arrival? Arrival { get; set; }

    public bool Runs => (Exists && !Frozen && !Stopped) || (Arrival is { Running: true } && !StandsStill);

    /// <summary>The hook at the gate waits no longer: it obeys what was decided, or decides for abort itself.</summary>
    public void EndGate()
    {
        if (Arrival is { Held: true } held)
        {
            held.Commit ??= false;
            held.Held = false;
            held.Running = held.Commit.Value;
        }
    }
}

/// <summary>A container on its destination, and what the gate knows about it.</summary>
internal sealed class Arrival(string migrationId)
{
    /// <summary>It is started and not restored: no gate holds it.</summary>
    public bool Offline { get; init; }

    public string MigrationId => migrationId;

    public bool Held { get; set; }

    public bool Running { get; set; }

    /// <summary>CRIU is killed at its gate, and nobody has noticed when GO comes.</summary>
    public bool DiesBeforeItRuns { get; set; }

    /// <summary>The decision, once made it stays.</summary>
    public bool? Commit { get; set; }

    public string? Policy { get; set; }
}
