using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Faults;
using ContainerMigrate.Journal;
using ContainerMigrate.Linux.Journal;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Faults;

public sealed class FaultPointsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Lifetime _lifetime = new();
    private readonly RecordingFence _fence = new();

    private static CancellationToken Ending => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void NothingIsArmedWithoutTheVariable() => FaultPoints.ReadRules(null, allowed: true).ShouldBeNull();

    [Fact]
    public void TheVariableIsRefusedWithoutTheFlag() =>
        Should.Throw<ConfigurationException>(() => FaultPoints.ReadRules("peer.Go:before=kill", allowed: false)).Message.ShouldContain("--allow-faults");

    [Fact]
    public async Task ErrorBeforeACallKeepsItFromHappeningOnce()
    {
        var fence = Points("fence.Raise:before=error").Wrap<INetworkFence>(_fence);

        (await Should.ThrowAsync<MigrationException>(() => fence.RaiseAsync("/a", Ending))).Failure.Cause.ShouldContain("fence.Raise:before");
        _fence.Calls.ShouldBeEmpty();

        await fence.RaiseAsync("/b", Ending);
        _fence.Calls.ShouldBe(["/b"]);
    }

    [Fact]
    public async Task ErrorAfterACallComesWhenItHasHappened()
    {
        var fence = Points("fence.Raise:after=error").Wrap<INetworkFence>(_fence);

        await Should.ThrowAsync<MigrationException>(() => fence.RaiseAsync("/a", Ending));

        _fence.Calls.ShouldBe(["/a"]);
    }

    [Fact]
    public async Task OtherCallsAndResultsAreLeftAlone()
    {
        var fence = Points("fence.Raise:after=error").Wrap<INetworkFence>(_fence);

        (await fence.IsRaisedAsync("/a", Ending)).ShouldBeTrue();
        (await Should.ThrowAsync<InvalidOperationException>(() => fence.LiftAsync("/a", Ending))).Message.ShouldBe("not raised");
    }

    [Fact]
    public async Task HoldLastsUntilItsFileIsRemoved()
    {
        var held = _directory.File("held");
        var fence = Points($"fence.Raise:before=hold({held})").Wrap<INetworkFence>(_fence);

        var raised = fence.RaiseAsync("/a", Ending);
        File.Exists(held).ShouldBeTrue();
        _fence.Calls.ShouldBeEmpty();
        File.Delete(held);
        await raised;

        _fence.Calls.ShouldBe(["/a"]);
    }

    [Fact]
    public async Task HoldEndsWithTheCallThatIsCancelled()
    {
        var held = _directory.File("held");
        using var cancel = new CancellationTokenSource();
        var fence = Points($"fence.Raise:before=hold({held})").Wrap<INetworkFence>(_fence);

        var raised = fence.RaiseAsync("/a", cancel.Token);
        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => raised);
        File.Exists(held).ShouldBeFalse();
    }

    [Fact]
    public async Task ExitStopsTheDaemonAndLetsTheCallGoOn()
    {
        await Points("fence.Raise:before=exit").Wrap<INetworkFence>(_fence).RaiseAsync("/a", Ending);

        _lifetime.IsStopped.ShouldBeTrue();
        _fence.Calls.ShouldBe(["/a"]);
    }

    [Fact]
    public void RulesInAFileAreReadAgainWhenItHasChanged()
    {
        var file = _directory.File("rules");
        var points = Points("@" + file);
        var journal = new FaultyJournalStore(new FileJournalStore(_directory.File("state"), TimeProvider.System), points).Create("m1", MigrationRole.Source);

        journal.Append(MigrationPhase.Planned);
        File.WriteAllText(file, "source.record.PreCopy:before=error\nsource.record.Frozen:after=error\n");

        Should.Throw<IOException>(() => journal.Append(MigrationPhase.PreCopy)).Message.ShouldContain("source.record.PreCopy:before");
        journal.Phase.ShouldBe(MigrationPhase.Planned);
        journal.Append(MigrationPhase.PreCopy);
        Should.Throw<IOException>(() => journal.Append(MigrationPhase.Frozen));
        journal.Phase.ShouldBe(MigrationPhase.Frozen);
    }

    [Fact]
    public void JournalsThatAreFoundAgainHaveTheirPointsToo()
    {
        IJournalStore store = new FaultyJournalStore(new FileJournalStore(_directory.File("state"), TimeProvider.System), Points("destination.record.Closed:before=error;destination.record.New:after=error"));

        Should.Throw<IOException>(() => store.Create("m1", MigrationRole.Destination));
        var journal = store.OpenUnfinished(out _).ShouldHaveSingleItem();

        Should.Throw<IOException>(() => journal.Close());
        journal.IsClosed.ShouldBeFalse();
    }

    [Fact]
    public async Task WhatASeamReturnsHasItsPointsToo()
    {
        var keeper = Points("keeping.Begin:before=error").Wrap<IPacketKeeper>(new Keeper());

        await using var keeping = await keeper.OpenAsync("/a", null!, Ending);

        await Should.ThrowAsync<MigrationException>(() => keeping.BeginAsync(Ending));
    }

    private FaultPoints Points(string rules) => new(FaultPoints.ReadRules(rules, allowed: true)!, _lifetime, NullLogger<FaultPoints>.Instance);

    private sealed class RecordingFence : INetworkFence
    {
        public List<string> Calls { get; } = [];

        public Task RaiseAsync(string networkNamespacePath, CancellationToken cancellationToken)
        {
            Calls.Add(networkNamespacePath);
            return Task.CompletedTask;
        }

        public Task LiftAsync(string networkNamespacePath, CancellationToken cancellationToken) => throw new InvalidOperationException("not raised");

        public Task<bool> IsRaisedAsync(string networkNamespacePath, CancellationToken cancellationToken) => Task.FromResult(true);
    }

    private sealed class Keeper : IPacketKeeper, IPacketKeeping
    {
        public Task<IPacketKeeping> OpenAsync(string networkNamespacePath, KeptPackets packets, CancellationToken cancellationToken) => Task.FromResult<IPacketKeeping>(this);

        public Task<IPacketDelivery> OpenDeliveryAsync(string networkNamespacePath, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task BeginAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public bool IsStopped { get; private set; }

        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => default;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication() => IsStopped = true;
    }
}
