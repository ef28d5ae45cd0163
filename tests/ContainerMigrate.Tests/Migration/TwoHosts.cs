using ContainerMigrate.Api;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace ContainerMigrate.Tests.Migration;

/// <summary>
/// A source with a running container and a destination, with the real engine on both and everything outside of it made up. At every
/// step of either it is checked that the container does not run twice.
/// </summary>
internal sealed class TwoHosts : IDisposable
{
    public const string Id = "20260102-030405-abcdef";
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly string _directory = Directory.CreateTempSubdirectory("ctm-").FullName;
    private Task _departure = Task.CompletedTask;
    private string? _ranTwice;
    private bool _hasVolumes;
    private readonly MigrationLimits _limits = new() { Lease = Lease, RetryDelay = TimeSpan.FromMilliseconds(1), WorthLeavingBytes = 0 };

    public TwoHosts(Action<TwoHosts>? prepare = null)
    {
        From = new Machine("h1", Path.Combine(_directory, "h1")) { Exists = true };
        To = new Machine("h2", Path.Combine(_directory, "h2"));
        prepare?.Invoke(this);
        Source = Start(From);
        Destination = Start(To);
        Peer = new LinkedPeer(Source, () => Destination);
    }

    public ManualTime Time { get; } = new();

    public Machine From { get; }

    public Machine To { get; }

    public DaemonLife Source { get; private set; }

    public DaemonLife Destination { get; private set; }

    public LinkedPeer Peer { get; private set; }

    public MigrationProgress? Progress { get; private set; }

    public MigrationStatus Status => Progress!.Status;

    /// <summary>Steps of both, in order, with the host's name before each.</summary>
    public List<string> Log { get; } = [];

    public CancellationTokenSource Cancel { get; } = new();

    public CancellationTokenSource Shutdown { get; } = new();

    public IMigrationJournal SourceJournal => Source.Environment.Journals.Find(Id)!;

    public IMigrationJournal DestinationJournal => Destination.Environment.Journals.Find(Id)!;

    public void Dispose()
    {
        Source.Kill();
        Destination.Kill();
        Cancel.Dispose();
        Shutdown.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>Starts a migration; completes at its end or at the end of either life.</summary>
    public async Task MigrateAsync(MigrateRequest? request = null, bool paused = false, bool withImage = false, bool withVolumes = false)
    {
        From.Frozen = paused;
        var container = Samples.Container(paused, withImage);
        container = container with { Manifest = container.Manifest with { Offline = request?.Mode == MigrationModes.Offline } };
        if (withVolumes)
        {
            _hasVolumes = true;
            From.Directories.Add("/srv/web");
            From.Volumes.Add("data", "");
            container = container with { Manifest = container.Manifest with { Mounts = Samples.Mounts }, MountDirectories = Samples.MountDirectories };
        }

        var journal = Source.Environment.Journals.Create(Id, MigrationRole.Source);
        Progress = Source.Index.Add(NewStatus(Id));
        var migration = new SourceMigration(Source.Environment, Peer, request ?? Samples.Request, journal, Progress, NullLogger.Instance);
        _departure = Task.Run(() => migration.RunAsync(Samples.Plan(Source, container, (request ?? Samples.Request).Mode, From.Tracker), Cancel.Token, Shutdown.Token));
        await EndOf(_departure);
    }

    /// <summary>Gives a dead daemon a new life, which takes up what its journals say.</summary>
    public void RestartSource()
    {
        Source.IsDead.ShouldBeTrue();
        Source = Start(From);
        Peer = new LinkedPeer(Source, () => Destination);
    }

    /// <summary>What a started daemon does first; completes at its end or at the end of either life.</summary>
    public async Task RecoverSourceAsync()
    {
        var (life, peer) = (Source, Peer);
        foreach (var journal in life.Environment.Journals.OpenUnfinished(out _))
        {
            Progress = life.Index.Add(NewStatus(journal.MigrationId));
            _departure = Task.Run(() => new SourceRecovery(life.Environment, NullLogger.Instance).RunAsync(journal, peer, Progress, Shutdown.Token));
            await EndOf(_departure);
        }
    }

    public void RestartDestination()
    {
        Destination.IsDead.ShouldBeTrue();
        Destination = Start(To);
    }

    public async Task RecoverDestinationAsync()
    {
        var life = Destination;
        foreach (var journal in life.Environment.Journals.OpenUnfinished(out _))
        {
            await EndOf(Task.Run(() => life.Arrivals.RecoverAsync(journal, CancellationToken.None)));
        }
    }

    /// <summary>Restarts whoever is dead, until both live and have nothing left to do.</summary>
    public async Task SettleAsync()
    {
        while (Destination.IsDead || Source.IsDead || !_departure.IsCompleted)
        {
            if (Destination.IsDead)
            {
                RestartDestination();
                await RecoverDestinationAsync();
            }

            if (Source.IsDead)
            {
                RestartSource();
                await RecoverSourceAsync();
            }

            await EndOf(_departure);
        }
    }

    public void ShouldRunOnSource()
    {
        _ranTwice.ShouldBeNull();
        (From.Exists, From.Frozen, From.Fenced, From.Refused, From.DumpHeld, From.Stopped).ShouldBe((true, false, false, false, false, false), Trace);
        From.Cpu.ShouldBe(Machine.GivenCpu, Trace);
        To.ArrivedPages.ShouldBeNull(Trace);
        From.Policy.ShouldBe(Machine.Always.ToJsonString(), Trace);
        To.Arrival.ShouldBeNull(Trace);
        ShouldHaveVolumes(From, To);
        ShouldHaveNoFiles(SourceJournal);
        ShouldBeClosed(SourceJournal, MigrationPhase.Aborted);
        if (Destination.Environment.Journals.Find(Id) is { } journal)
        {
            ShouldBeClosed(journal, MigrationPhase.Aborted);
            ShouldHaveNoFiles(journal);
        }
    }

    public void ShouldRunOnDestination()
    {
        _ranTwice.ShouldBeNull();
        (From.Exists, From.Refused, From.DumpHeld).ShouldBe((false, false, false), Trace);
        if (To.ArrivedPages is { } arrived)
        {
            // What it has beyond that was unmapped before the freeze.
            arrived.Where(p => From.Memory.Pages.ContainsKey(p.Key)).OrderBy(p => p.Key).ShouldBe(From.Memory.Pages.OrderBy(p => p.Key), Trace);
        }

        To.Arrival.ShouldNotBeNull(Trace);
        To.Arrival.Running.ShouldBeTrue(Trace);
        ShouldHaveVolumes(To, From);
        To.StandsStill.ShouldBeFalse(Trace);
        To.MissingPages.IsEmpty.ShouldBeTrue(Trace);
        To.Arrival.Policy.ShouldBe(Machine.Always.ToJsonString(), Trace);
        ShouldBeClosed(SourceJournal, MigrationPhase.Done);
        ShouldBeClosed(DestinationJournal, MigrationPhase.Done);
        ShouldHaveNoFiles(SourceJournal);
        ShouldHaveNoFiles(DestinationJournal);
    }

    public string Trace
    {
        get
        {
            lock (Log)
            {
                return string.Join('\n', Log);
            }
        }
    }

    /// <summary>Waits for something that another thread brings about.</summary>
    public async Task Until(Func<bool> condition)
    {
        for (var waited = 0; !condition(); waited++)
        {
            waited.ShouldBeLessThan(10000, Trace);
            await Task.Delay(1);
        }
    }

    private static void ShouldBeClosed(IMigrationJournal journal, MigrationPhase phase)
    {
        journal.Phase.ShouldBe(phase);
        journal.IsClosed.ShouldBeTrue();
    }

    private void ShouldHaveVolumes(Machine here, Machine notThere)
    {
        if (_hasVolumes)
        {
            (here.Directories.Count, here.Volumes.Count).ShouldBe((1, 1), Trace);
            (notThere.Directories.Count, notThere.Volumes.Count).ShouldBe((0, 0), Trace);
        }
    }

    // Logs may stay; CRIU's images are as large as the container's memory.
    private void ShouldHaveNoFiles(IMigrationJournal journal) =>
        Directory.GetFiles(journal.Directory, "*", SearchOption.AllDirectories).ShouldBeEmpty(Trace);

    private DaemonLife Start(Machine machine)
    {
        Directory.CreateDirectory(machine.Directory);
        return new DaemonLife(machine, Time, _limits) { After = step => Note(machine, step), Other = () => machine == To ? Source : Destination };
    }

    private void Note(Machine machine, string step)
    {
        lock (Log)
        {
            Log.Add($"{machine.Name} {step}");
        }

        // Not thrown here: the engine would take it for a failure of the step.
        if (From.Runs && To.Runs)
        {
            _ranTwice ??= Trace;
        }
    }

    private async Task EndOf(Task work)
    {
        try
        {
            await await Task.WhenAny(work, Source.Died, Destination.Died).WaitAsync(Patience);
        }
        catch (KilledException)
        {
            // It was; what is left of it is in the journals.
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"no end:\n{Trace}", e);
        }
    }

    private MigrationStatus NewStatus(string id) => new()
    {
        Id = id, Role = "source", Container = "web", Runtime = "docker", Source = "h1", Destination = "h2", Phase = MigrationPhase.New, StartedAt = Time.GetUtcNow(),
    };
}
