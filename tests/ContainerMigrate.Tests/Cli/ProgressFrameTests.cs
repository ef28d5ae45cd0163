using System.Text.RegularExpressions;
using ContainerMigrate.Api;
using ContainerMigrate.Cli;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Migration;
using Shouldly;
using Spectre.Console;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed partial class ProgressFrameTests
{
    private static readonly PreCopyRound Round = new()
    {
        Number = 1, DirtyBytes = 1900L << 20, SentBytes = 1900L << 20, DurationMs = 2100, BytesPerSecond = 910e6, DirtyBytesPerSecond = 21e6, PredictedPauseMs = 240, Verdict = "over the limit",
    };

    private static readonly DateTimeOffset Start = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void ShowsWhatIsDoneAndForHowLong() =>
        Lines(Status("dumping"), 79).ShouldBe(["web -> h2  dumping  8.4 s"]);

    [Fact]
    public void ShowsABarWithRateAndTimeLeftWhileSending() =>
        Lines(Sending(950 << 20, 1900L << 20), 79).ShouldBe(
        [
            "web -> h2  sending memory  8.4 s",
            "  ━━━━━━━━━━──────────  50%  950 MiB of 1.9 GiB at 910 MB/s, 2 s left",
        ]);

    [Fact]
    public void ShowsTheLastRoundOfPreCopy() =>
        Lines(Status("pre-copy round 2") with { Phase = MigrationPhase.PreCopy, Rounds = [Round] }, 120).ShouldBe(
        [
            "web -> h2  pre-copy round 2  8.4 s",
            "  round 1: 1.9 GiB in 2.1 s at 910 MB/s, 21 MB/s dirtied, predicted pause 240 ms",
        ]);

    [Fact]
    public void ShowsTheLastRoundOfFilesUntilMemoryGoes()
    {
        var files = new FileRound { Number = 2, ScannedEntries = 5000, Entries = 41, SentBytes = 7 << 20, DurationMs = 90 };
        var status = Status("pre-copy round 1") with { Phase = MigrationPhase.PreCopy, FileRounds = [files] };

        Lines(status, 120)[1].ShouldBe("  files, round 2: 41 changes, 7.0 MiB in 90 ms");
        Lines(status with { Rounds = [Round] }, 120)[1].ShouldStartWith("  round 1: ");
    }

    [Fact]
    public void DrawsTheBarInAsciiWhereNothingElseShows() =>
        Lines(Sending(950 << 20, 1900L << 20), 79, unicode: false)[1].ShouldBe("  ==========----------  50%  950 MiB of 1.9 GiB at 910 MB/s, 2 s left");

    [Fact]
    public void TheBarKeepsItsLengthWhateverTheFigures() =>
        Enumerable.Range(0, 101)
            .Select(percent => Lines(Sending(19L * percent << 20, 1900L << 20), 100)[1].Count(c => c is '━' or '─'))
            .Distinct().Count().ShouldBe(1);

    [Theory]
    [InlineData(120)]
    [InlineData(79)]
    [InlineData(60)]
    [InlineData(41)]
    [InlineData(20)]
    [InlineData(5)]
    public void NoLineIsLongerThanTheTerminal(int width)
    {
        var status = Sending(1023L << 20, 99L << 30) with { Container = "a-container-with-a-long-name", BytesPerSecond = 12e6 };

        Lines(status, width, note: "cancelling; Ctrl-C again leaves it to the daemon").ShouldAllBe(line => line.Length <= width);
    }

    [Fact]
    public void MoreThanWasExpectedIsStillNotMoreThanAll() =>
        Lines(Sending(3L << 30, 1L << 30), 79)[1].ShouldContain(" 100% ");

    [Fact]
    public void TellsThatTheOutcomeIsInDoubt() =>
        Lines(FakeDaemon.Status(MigrationPhase.InDoubt) with { StartedAt = Start }, 79).ShouldBe(["web -> h2  in doubt: waiting for h2 to answer  8.4 s"]);

    [Fact]
    public void APaintedFrameReplacesTheOneBefore()
    {
        var screen = new StringWriter();
        using var painter = new FramePainter(Terminal(screen, () => 80));

        painter.Paint([], [new Paragraph("one"), new Paragraph("two")]);
        painter.Paint(["stays"], [new Paragraph("three")]);
        painter.Erase();

        screen.ToString().ShouldBe(
            "\rone\e[K\ntwo\e[K\e[J"
            + "\r\e[1Astays\e[K\nthree\e[K\e[J"
            + "\r\e[J");
    }

    [Fact]
    public void AFrameThatANarrowedTerminalHasWrappedIsErasedWhole()
    {
        var screen = new StringWriter();
        var width = 80;
        using var painter = new FramePainter(Terminal(screen, () => width));
        painter.Paint([], [new Paragraph(new string('x', 70)), new Paragraph("y")]);
        screen.GetStringBuilder().Clear();

        width = 30;
        painter.Erase();

        // 70 columns are three rows of 30, and one row for y.
        screen.ToString().ShouldBe("\r\e[3A\e[J");
    }

    private static MigrationStatus Status(string activity) => FakeDaemon.Status(MigrationPhase.Frozen, activity) with { StartedAt = Start };

    private static MigrationStatus Sending(long sent, long total) =>
        Status("sending memory") with { SentBytes = sent, TotalBytes = total, BytesPerSecond = 910e6 };

    private static string[] Lines(MigrationStatus status, int width, bool unicode = true, string? note = null)
    {
        var screen = new StringWriter();
        using var painter = new FramePainter(Terminal(screen, () => 1000));
        painter.Paint([], ProgressFrame.Draw(status, note, Start.AddSeconds(8.4), width, unicode));
        return ControlSequence().Replace(screen.ToString(), "").TrimStart('\r').Split('\n');
    }

    [GeneratedRegex(@"\e\[[0-9;]*[A-Za-z]")]
    private static partial Regex ControlSequence();

    private static StandardStreams Terminal(StringWriter screen, Func<int> width) =>
        new() { Input = TextReader.Null, Output = screen, Error = TextWriter.Null, OutputIsTerminal = true, Width = width };
}
