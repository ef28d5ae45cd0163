namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>One line that the wrapper or CRIU's hook wrote: see the contract in hooks/README.md.</summary>
/// <param name="Kind"><c>create</c>, <c>ns</c>, <c>start</c>, <c>restored</c>, <c>result</c>, <c>refused</c> or <c>aborted</c>.</param>
/// <param name="Arguments">The rest of the line.</param>
internal readonly record struct RestoreEvent(string Kind, string Arguments)
{
    public static RestoreEvent Parse(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return space < 0 ? new RestoreEvent(line, "") : new RestoreEvent(line[..space], line[(space + 1)..]);
    }

    /// <summary>True when nothing good can follow.</summary>
    public bool IsFailure => Kind is "refused" or "aborted" || (Kind == "result" && !Arguments.StartsWith('0'));

    public string Reason => Kind == "result" && Arguments.IndexOf(' ', StringComparison.Ordinal) is var i and >= 0 ? Arguments[(i + 1)..] : Arguments;
}
