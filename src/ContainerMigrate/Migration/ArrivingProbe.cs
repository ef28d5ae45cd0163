using ContainerMigrate.Protocol;

namespace ContainerMigrate.Migration;

/// <summary>The destination's end of <see cref="SourceStreams.TryConnectionAsync"/>.</summary>
internal static class ArrivingProbe
{
    private const long MaxBytes = 64 << 20;

    /// <summary>Takes what comes as it would take the real thing, and throws it away.</summary>
    /// <param name="directory">Made and removed.</param>
    public static async Task<StreamReply> ReceiveAsync(MigrationEnvironment environment, string directory, Stream source, CancellationToken cancellationToken)
    {
        var pages = Directory.CreateDirectory(Path.Combine(directory, "pages")).FullName;
        var tree = Directory.CreateDirectory(Path.Combine(directory, "tree")).FullName;
        try
        {
            var bytes = await environment.Pages.ReceiveAsync(pages, source, MaxBytes, cancellationToken);
            var totals = await environment.Copier.ReceiveAsync(tree, source, MaxBytes, cancellationToken);
            return new StreamReply(totals.Entries, bytes + totals.ContentBytes);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
