namespace ContainerMigrate.Benchmarks.Contenders;

/// <summary>What a tool tells of its move.</summary>
/// <param name="Mode">How memory was moved: `stop-and-copy`, `precopy`, ...</param>
/// <param name="SentBytes">Bytes from h1 to h2, before compression.</param>
/// <param name="WireBytes">The same as they went over the wire; null where the tool does not tell.</param>
/// <param name="PauseMs">The pause by the tool's own clock, in milliseconds; null where it has none.</param>
/// <param name="Parts">What the pause, or else the move, was spent on, in order, in milliseconds.</param>
/// <param name="PredictedMs">What the tool had predicted that pause to be; null where it predicts none.</param>
internal sealed record MoveResult(string Mode, long SentBytes, long? WireBytes, double? PauseMs, IReadOnlyDictionary<string, double> Parts, double? PredictedMs = null);
