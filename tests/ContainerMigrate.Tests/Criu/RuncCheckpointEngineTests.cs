using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Migration;
using ContainerMigrate.Tests.Daemon;
using ContainerMigrate.Tests.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

public sealed class RuncCheckpointEngineTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly IProcessRunner _processes = Substitute.For<IProcessRunner>();
    private readonly RestoreLayout _layout;
    private readonly RuncCheckpointEngine _engine;
    private ProcessCommand? _command;
    private Func<ProcessResult> _run = () => new ProcessResult(0, "", "");

    public RuncCheckpointEngineTests()
    {
        _layout = new RestoreLayout(_directory.Path);
        _engine = new RuncCheckpointEngine(_processes, _layout, _directory.Path, NullLogger<RuncCheckpointEngine>.Instance);
        _processes.RunAsync(default!, default).ReturnsForAnyArgs(call =>
        {
            _command = call.Arg<ProcessCommand>();
            return _run();
        });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task LeavesTheContainerFrozenAndKeepsItsConnections()
    {
        await DumpAsync();

        _command!.Program.ShouldBe("runc");
        _command.Arguments.ShouldBe(
        [
            "--root", "/run/runc", "checkpoint", "--leave-running", "--tcp-established", "--file-locks", "--empty-ns", "network",
            "--image-path", _directory.File("images"), "--work-path", _directory.File("work"), Samples.Reference.Id,
        ]);
        File.ReadAllText(Path.Combine(_command.Environment["HOME"]!, ".criu/default.conf")).ShouldBe("tcp-established\nnetwork-lock skip\nghost-limit 4095M\n");
    }

    // An evacuation dumps several at once.
    [Fact]
    public async Task ManyBeginAtOnceWhereNoneHasBegunBefore()
    {
        for (var i = 0; i < 20; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(DumpAsync, Token)));
            Directory.Delete(Path.Combine(_command!.Environment["HOME"]!, ".criu"), recursive: true);
        }
    }

    [Fact]
    public async Task ConfigurationOfAnEarlierRestoreIsMadeOneForADump()
    {
        var restore = Directory.CreateDirectory(_layout.RestoreDirectory(Samples.Reference.Id)).FullName;
        File.WriteAllText(Path.Combine(restore, "criu.conf"), "action-script /usr/lib/ctmigrate/ctmigrate-criu-hook\n");

        await DumpAsync();

        File.ReadAllText(Path.Combine(restore, "criu.conf")).ShouldBe("tcp-established\nnetwork-lock skip\nghost-limit 4095M\n");
    }

    [Fact]
    public async Task ConfigurationThatIsRightIsLeftAlone()
    {
        await DumpAsync();
        var file = _directory.File("criu-home/.criu/default.conf");
        var before = File.GetLastWriteTimeUtc(file);

        await DumpAsync();

        File.GetLastWriteTimeUtc(file).ShouldBe(before);
    }

    [Fact]
    public async Task RefusalIsToldInCriusWords()
    {
        _run = () =>
        {
            File.WriteAllText(_directory.File("work/dump.log"), "(00.04) Error (criu/tty.c:1861): tty: Found dangling tty\n(00.05) Error (criu/cr-dump.c:2111): Dumping FAILED.\n");
            return new ProcessResult(1, "", "criu failed: type NOTIFY errno 0");
        };

        (await Should.ThrowAsync<MigrationException>(DumpAsync)).Failure.ShouldBe(
            new MigrationFailure("", "dump", "CRIU: tty: Found dangling tty", $"the whole log is {_directory.File("work/dump.log")}"));
    }

    [Fact]
    public async Task WithoutALogRuncSaysWhy()
    {
        _run = () => new ProcessResult(1, "", "runc: container does not exist\n");

        (await Should.ThrowAsync<MigrationException>(DumpAsync)).Failure.Cause.ShouldBe("runc checkpoint: runc: container does not exist");
    }

    [Fact]
    public async Task DeathOfCriuIsCalledThat()
    {
        _run = () => new ProcessResult(1, "", """time="2026-11-21T13:42:55Z" level=error msg="read unixpacket @->@: EOF" """);

        (await Should.ThrowAsync<MigrationException>(DumpAsync)).Failure.Cause.ShouldBe("CRIU was killed in the middle of it");
    }

    [Fact]
    public async Task CancelIsObeyedOnceTheDumpHasEnded()
    {
        using var cancel = new CancellationTokenSource();
        _run = () =>
        {
            cancel.Cancel();
            return new ProcessResult(0, "", "");
        };

        await Should.ThrowAsync<OperationCanceledException>(() => _engine.DumpAsync(Samples.Container(), _directory.Path, cancel.Token));

        await _processes.Received().RunAsync(Arg.Any<ProcessCommand>(), CancellationToken.None);
    }

    private Task DumpAsync() => _engine.DumpAsync(Samples.Container(), _directory.Path, Token);
}
