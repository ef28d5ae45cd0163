using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Units;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>The phrases for a migration that all views share.</summary>
internal static class MigrationText
{
    /// <summary><c>web -> h2</c></summary>
    public static string Title(MigrationStatus status) => OneLine.Of($"{status.Container} -> {status.Destination}");

    /// <summary>What is being done, in the daemon's words, or in ours for the phase.</summary>
    public static string Stage(MigrationStatus status) =>
        status.Phase == MigrationPhase.InDoubt ? OneLine.Of($"in doubt: {(status.Activity.Length > 0 ? status.Activity : $"waiting for {status.Destination} to answer")}")
        : status.Activity.Length > 0 ? OneLine.Of(status.Activity)
        : Phase(status.Phase);

    /// <summary>A phase in the words of the documentation.</summary>
    public static string Phase(MigrationPhase phase) => phase switch
    {
        MigrationPhase.New => "check",
        MigrationPhase.Planned or MigrationPhase.Reserved => "reserve",
        MigrationPhase.PreCopy => "pre-copy",
        MigrationPhase.Receiving => "receive",
        MigrationPhase.Frozen => "switchover",
        MigrationPhase.Prepared => "prepared",
        MigrationPhase.Go => "commit",
        MigrationPhase.Committed => "activate",
        MigrationPhase.Destroyed => "clean up",
        MigrationPhase.Done => "done",
        MigrationPhase.Aborted => "aborted",
        MigrationPhase.InDoubt => "in doubt",
        _ => phase.ToString(),
    };

    /// <summary><c>1.1 GiB of 1.9 GiB at 910 MB/s</c>, or empty when nothing is being sent.</summary>
    public static string Transfer(MigrationStatus status)
    {
        if (status.TotalBytes <= 0 && status.SentBytes <= 0)
        {
            return "";
        }

        var amount = status.TotalBytes > 0
            ? $"{ByteSize.Format(status.SentBytes)} of {ByteSize.Format(status.TotalBytes)}"
            : ByteSize.Format(status.SentBytes);
        return status.BytesPerSecond > 0 ? $"{amount} at {ByteRate.Format(status.BytesPerSecond)}" : amount;
    }

    /// <summary>
    /// <c>round 1: 1.9 GiB in 2.1 s at 910 MB/s, 21 MB/s dirtied, predicted pause 240 ms</c>; of the last one, which sends nothing, why it is.
    /// </summary>
    public static string Round(PreCopyRound round) => round.DurationMs == 0
        ? OneLine.Of($"rounds end: {round.Verdict}")
        : $"round {round.Number}: {ByteSize.Format(round.SentBytes)} in {Duration.FormatMilliseconds(round.DurationMs)} at {ByteRate.Format(round.BytesPerSecond)}, "
          + $"{ByteRate.Format(round.DirtyBytesPerSecond)} dirtied, predicted pause {Duration.FormatMilliseconds(round.PredictedPauseMs)}"
          + (round.CpuPercent is { } percent ? FormattableString.Invariant($", slowed down to {percent:0} % of a processor") : "");

    /// <summary><c>files, round 1: 4100 changes, 114 MiB in 0.9 s</c></summary>
    public static string FileRound(FileRound round) =>
        $"files, round {round.Number}: {round.Entries} changes, {ByteSize.Format(round.SentBytes)} in {Duration.FormatMilliseconds(round.DurationMs)}";

    /// <summary><c>done: pause 231 ms seen by the network, total 8.4 s, 4 rounds, 2.1 GiB sent (1.3 GiB on the wire)</c></summary>
    public static string Done(MigrationResult result, string mode, bool isSaved = false)
    {
        if (isSaved)
        {
            return $"done: saved, frozen for {Duration.FormatMilliseconds(result.PauseMs)}, total {Duration.FormatMilliseconds(result.TotalMs)}";
        }

        var pause = mode == MigrationModes.Offline ? $"stopped for {Duration.FormatMilliseconds(result.PauseMs)}" : $"pause {Duration.FormatMilliseconds(result.PauseMs)} seen by the network";
        var text = $"done: {pause}, total {Duration.FormatMilliseconds(result.TotalMs)}";
        if (result.Rounds > 0)
        {
            text += result.Rounds == 1 ? ", 1 round" : $", {result.Rounds} rounds";
        }

        text += $", {ByteSize.Format(result.SentBytes)} sent";
        return result.WireBytes > 0 && result.WireBytes != result.SentBytes ? $"{text} ({ByteSize.Format(result.WireBytes)} on the wire)" : text;
    }

    /// <summary><c>2.1 GiB, 4100 entries in 3 rounds, 91 KiB left when last looked at</c></summary>
    public static string FilesSoFar(MigrationStatus status)
    {
        var rounds = status.FileRounds.Count == 1 ? "1 round" : $"{status.FileRounds.Count} rounds";
        var text = $"{ByteSize.Format(status.FileRounds.Sum(r => r.SentBytes))}, {status.FileRounds.Sum(r => r.Entries)} entries in {rounds}";
        return status.FilesLeftBytes is { } left ? $"{text}, {ByteSize.Format(left)} left when last looked at" : text;
    }

    /// <summary><c>files: 2.1 GiB in 3 rounds, 91 KiB in the pause</c>; null where there were none.</summary>
    public static string? Files(MigrationResult result) =>
        result.FilesAheadBytes + result.FilesInPauseBytes > 0
            ? $"files: {ByteSize.Format(result.FilesAheadBytes)} in {(result.FileRounds == 1 ? "1 round" : $"{result.FileRounds} rounds")}, {ByteSize.Format(result.FilesInPauseBytes)} in the pause"
            : null;

    /// <summary><c>pause in ms: freeze 20, dump 60, copy 30, restore 120; predicted 240</c>; null when the parts are not known.</summary>
    public static string? PauseParts(MigrationResult result)
    {
        if (result.PauseParts.Count == 0)
        {
            return null;
        }

        // What took no time says nothing to a person; --json has every part.
        var parts = string.Join(", ", result.PauseParts.Where(part => part.Value >= 0.5).Select(part => FormattableString.Invariant($"{OneLine.Of(part.Key)} {part.Value:0}")));
        return result.PredictedMs is { } predicted
            ? FormattableString.Invariant($"pause in ms: {parts}; predicted {predicted:0}")
            : $"pause in ms: {parts}";
    }

    /// <summary><c>post-copy: 312 MiB followed in 3.2 s, processes waited for 410 pages of them</c>; null where nothing did.</summary>
    public static string? PostCopy(MigrationResult result) =>
        result.PostCopy is { } memory
            ? FormattableString.Invariant($"post-copy: {ByteSize.Format(memory.TotalBytes)} followed in {Duration.FormatMilliseconds(memory.Milliseconds)}, {memory.Faults} pages of them were waited for")
            : null;

    /// <summary><c>312 packets came in the pause (401 KiB): 312 delivered, 0 dropped</c>; null where there were none.</summary>
    public static string? KeptPackets(MigrationResult result) =>
        result.KeptPackets is { } packets && packets.Kept + packets.Dropped > 0
            ? FormattableString.Invariant($"{packets.Kept} packets kept in the pause ({ByteSize.Format(packets.Bytes)}): {packets.Delivered} delivered, {packets.Dropped} dropped")
            : null;
}
