using System.Diagnostics;
using System.Reflection;
using ContainerMigrate.Containers;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Memory;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using ContainerMigrate.Protocol;
using ContainerMigrate.Storage;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>
/// Places at which a test makes the daemon die, fail or wait: before and after each journal record (<c>source.record.Go</c>) and each call
/// through a seam (<c>target.ClaimCommit</c>; one that takes an enumeration has a point for each of its values, <c>peer.Send.Memory</c>).
/// Made only when <see cref="Variable"/> is set; without it no seam is wrapped.
/// </summary>
internal sealed partial class FaultPoints(FaultRules rules, IHostApplicationLifetime lifetime, ILogger<FaultPoints> logger)
{
    public const string Variable = "CTMIGRATED_FAULTS";

    /// <summary>Without this argument a daemon with <see cref="Variable"/> in its environment does not start.</summary>
    public const string Flag = "--allow-faults";

    private static readonly TimeSpan HoldInterval = TimeSpan.FromMilliseconds(5);

    private static readonly Dictionary<Type, string> Seams = new()
    {
        [typeof(IContainerRuntime)] = "runtime",
        [typeof(ITargetContainer)] = "target",
        [typeof(ICheckpointEngine)] = "checkpoint",
        [typeof(IMetadataDump)] = "dump",
        [typeof(ICgroupFreezer)] = "freezer",
        [typeof(ICpuLimiter)] = "cpu",
        [typeof(IStartRefusal)] = "refusals",
        [typeof(INetworkFence)] = "fence",
        [typeof(IPacketKeeper)] = "packets",
        [typeof(IPacketKeeping)] = "keeping",
        [typeof(IAddressAnnouncer)] = "announcer",
        [typeof(IContainerNetwork)] = "network",
        [typeof(IDirectoryCopier)] = "copier",
        [typeof(IFileFollower)] = "follower",
        [typeof(IFollowedTree)] = "tree",
        [typeof(IPageFileCopier)] = "pages",
        [typeof(ILogCopier)] = "logs",
        [typeof(IHostDirectories)] = "directories",
        [typeof(IMemoryTracker)] = "tracker",
        [typeof(IMemoryTracking)] = "tracking",
        [typeof(IMemoryArrivals)] = "arrivals",
        [typeof(IArrivingMemory)] = "arriving",
        [typeof(IPeer)] = "peer",
        [typeof(ISourcePeers)] = "sources",
        [typeof(ISourcePeer)] = "source",
    };

    /// <summary>Names of all points.</summary>
    public static IReadOnlySet<string> All { get; } = new HashSet<string>([.. RecordNames(), .. Seams.SelectMany(s => s.Key.GetMethods().Where(m => !m.IsSpecialName).SelectMany(m => NamesOf(s.Value, m)))], StringComparer.Ordinal);

    /// <summary>Name of the point of a journal's record.</summary>
    public static string Record(MigrationRole role, string record) => $"{(role == MigrationRole.Source ? "source" : "destination")}.record.{record}";

    /// <summary>Name of the point of a call.</summary>
    public static string Call(string seam, MethodInfo method, IEnumerable<object?> arguments)
    {
        var name = $"{seam}.{NameOf(method)}";
        return arguments.FirstOrDefault(a => a is Enum) is { } value ? $"{name}.{value}" : name;
    }

    /// <summary>Null when the variable is not set.</summary>
    /// <exception cref="ConfigurationException">A rule is wrong, or faults are not allowed.</exception>
    public static FaultRules? ReadRules(string? variable, bool allowed) =>
        string.IsNullOrEmpty(variable) ? null
        : allowed ? new FaultRules(variable, All)
        : throw new ConfigurationException($"{Variable} is set, which is for tests alone: it makes this daemon die and fail. Unset it, or start with {Flag}");

    /// <summary>Name under which the calls of a seam are known; null when it has no points.</summary>
    public static string? SeamOf(Type type) => Seams.GetValueOrDefault(type);

    /// <summary>The same object, with points around its calls and those of seams that it returns.</summary>
    public T Wrap<T>(T inner)
        where T : class => FaultProxy<T>.Create(inner, this, Seams[typeof(T)]);

    /// <summary>For calls that are not asynchronous.</summary>
    /// <param name="failure">What an error is.</param>
    public void Pass(string point, bool before, Func<string, Exception> failure) => PassAsync(point, before, failure, CancellationToken.None).GetAwaiter().GetResult();

    /// <inheritdoc cref="Pass"/>
    /// <param name="cancellationToken">The call's own.</param>
    public async Task PassAsync(string point, bool before, Func<string, Exception> failure, CancellationToken cancellationToken)
    {
        if (rules.Take(point, before) is not { } action)
        {
            return;
        }

        var name = $"{point}:{(before ? "before" : "after")}";
        LogReached(name, action.Kind);
        switch (action.Kind)
        {
            case FaultKind.Kill:
                using (var self = Process.GetCurrentProcess())
                {
                    self.Kill();
                }

                Thread.Sleep(Timeout.Infinite);
                break;
            case FaultKind.Exit:
                lifetime.StopApplication();
                break;
            case FaultKind.Error:
                throw failure(name);
            case FaultKind.Delay:
                await Task.Delay(action.Duration, cancellationToken);
                break;
            default:
                await HoldAsync(action.File, cancellationToken);
                break;
        }
    }

    private static async Task HoldAsync(string file, CancellationToken cancellationToken)
    {
        using (File.Create(file))
        {
        }

        try
        {
            while (File.Exists(file))
            {
                await Task.Delay(HoldInterval, cancellationToken);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static IEnumerable<string> RecordNames() =>
        from role in Enum.GetValues<MigrationRole>()
        from record in Enum.GetValues<MigrationPhase>().Where(p => IsRecordedBy(role, p)).Select(p => p.ToString()).Append(FaultyJournal.Closed)
        select Record(role, record);

    private static bool IsRecordedBy(MigrationRole role, MigrationPhase phase) =>
        phase == MigrationPhase.New || Array.Exists(Enum.GetValues<MigrationPhase>(), before => MigrationTransitions.IsAllowed(role, before, phase));

    private static IEnumerable<string> NamesOf(string seam, MethodInfo method) =>
        Array.Find(method.GetParameters(), p => p.ParameterType.IsEnum) is { } parameter
            ? Enum.GetNames(parameter.ParameterType).Select(v => $"{seam}.{NameOf(method)}.{v}")
            : [$"{seam}.{NameOf(method)}"];

    private static string NameOf(MethodInfo method) => method.Name.EndsWith("Async", StringComparison.Ordinal) ? method.Name[..^"Async".Length] : method.Name;

    [LoggerMessage(LogLevel.Warning, "fault point {Point}: {Action}")]
    private partial void LogReached(string point, FaultKind action);
}
