using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Journal;

namespace ContainerMigrate.Migration;

/// <summary>
/// Slows a container down that writes faster than its memory can be copied: step by step, each from what it really uses, since a share of
/// a large host's processors would mean nothing to it. What it had before is in the journal before the first step, and is given back before
/// the freeze: what the dump says of the cgroup, and the destination with it, never knew anything else.
/// </summary>
internal sealed class CpuThrottle(ICpuLimiter limiter, string cgroupDirectory, IMigrationJournal journal, TimeProvider time)
{
    /// <summary>What is left of a processor at least, so that connections are still answered.</summary>
    public const double FloorCpus = 0.05;

    // As QEMU's auto-converge takes 20 % first; in larger steps after that, since each costs three rounds or more.
    private static readonly double[] Shares = [0.8, 0.6, 0.4, 0.2, 0.1];

    private CpuLimit? _original;
    private double _baseCpus;
    private int _step;
    private (TimeSpan Usage, long At) _since = (limiter.ReadUsage(cgroupDirectory), time.GetTimestamp());

    /// <summary>Null where nobody wants it, or the host cannot do it and the operator has been told.</summary>
    public static CpuThrottle? Create(MigrationEnvironment environment, string onStall, string cgroupDirectory, IMigrationJournal journal) =>
        onStall == StallActions.Throttle && environment.Cpu.FindObstacle(cgroupDirectory) is null ? new CpuThrottle(environment.Cpu, cgroupDirectory, journal, environment.Time) : null;

    /// <summary>What it may use now, in processors; null: what it always may.</summary>
    public double? LimitCpus { get; private set; }

    /// <summary>Notes that another round has ended: what the container used in it is what the first step starts from.</summary>
    public void Observe()
    {
        var (usage, now) = (limiter.ReadUsage(cgroupDirectory), time.GetTimestamp());
        var elapsed = time.GetElapsedTime(_since.At, now);
        if (_original is null && elapsed > TimeSpan.Zero)
        {
            _baseCpus = (usage - _since.Usage) / elapsed;
        }

        _since = (usage, now);
    }

    /// <summary>Slows it down by one step.</summary>
    /// <returns>The step in a few words; null when there is none below.</returns>
    public string? Tighten()
    {
        if (_step == Shares.Length || LimitCpus <= FloorCpus)
        {
            return null;
        }

        if (_original is null)
        {
            var original = limiter.Read(cgroupDirectory);
            journal.Append(MigrationPhase.PreCopy, new JsonObject { [JournalKeys.CpuCgroup] = cgroupDirectory, [JournalKeys.CpuLimit] = original.ToString() });
            _original = original;
            _baseCpus = Math.Min(Math.Max(_baseCpus, FloorCpus), original.Cpus ?? double.MaxValue);
        }

        var share = Shares[_step++];
        var cpus = Math.Max(FloorCpus, share * _baseCpus);
        limiter.Apply(cgroupDirectory, _original.Of(cpus));
        LimitCpus = cpus;
        return FormattableString.Invariant($"slowed down to {100 * cpus:0} % of a processor, it used {100 * _baseCpus:0}");
    }

    /// <summary>Gives back what there was before. Idempotent; nothing to do when it was never slowed down.</summary>
    public void GiveBack()
    {
        if (_original is { } original && LimitCpus is not null)
        {
            limiter.Apply(cgroupDirectory, original);
            LimitCpus = null;
        }
    }

    /// <summary>Gives back what a journal says there was, whoever took it.</summary>
    /// <exception cref="MigrationException">It cannot be written.</exception>
    public static void GiveBack(ICpuLimiter limiter, IMigrationJournal journal)
    {
        if (journal.Value(JournalKeys.CpuCgroup)?.GetValue<string>() is { } cgroup
            && CpuLimit.TryParse(journal.Value(JournalKeys.CpuLimit)?.GetValue<string>(), out var limit))
        {
            limiter.Apply(cgroup, limit);
        }
    }
}
