using System.Diagnostics;
using ContainerMigrate.Linux.Criu;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Criu;

public sealed class AbandonedCheckpointTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task WhatWasStoppedGoesOn()
    {
        using var checkpoint = Checkpoint("kill -STOP $$");

        await AbandonedCheckpoint.AwaitEndAsync(_directory.Path, TimeSpan.FromSeconds(2));

        checkpoint.HasExited.ShouldBeTrue();
        checkpoint.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task WhatHangsIsKilled()
    {
        using var checkpoint = Checkpoint("mkfifo \"$1.fifo\"; read -r line <>\"$1.fifo\"");

        await AbandonedCheckpoint.AwaitEndAsync(_directory.Path, TimeSpan.FromSeconds(2));

        checkpoint.HasExited.ShouldBeTrue();
        checkpoint.ExitCode.ShouldBe(128 + 9);
    }

    [Fact]
    public async Task WhatIsAtWorkIsWaitedFor()
    {
        using var checkpoint = Checkpoint("end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done; exit 3");

        await AbandonedCheckpoint.AwaitEndAsync(_directory.Path, TimeSpan.FromSeconds(2));

        checkpoint.HasExited.ShouldBeTrue();
        checkpoint.ExitCode.ShouldBe(3);
    }

    [Fact]
    public async Task OthersAreLetBe()
    {
        using var other = Process.Start("tail", ["-f", "/dev/null", "checkpoint", _directory.Path + "-of-another/images"]);
        try
        {
            await AbandonedCheckpoint.AwaitEndAsync(_directory.Path, TimeSpan.FromSeconds(2));

            other.HasExited.ShouldBeFalse();
        }
        finally
        {
            other.Kill();
        }
    }

    // A program that looks like runc with this migration's directory.
    private Process Checkpoint(string script) => Process.Start("sh", ["-c", script, "checkpoint", "checkpoint", _directory.File("images")]);
}
