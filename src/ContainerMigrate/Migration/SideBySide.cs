namespace ContainerMigrate.Migration;

internal static class SideBySide
{
    /// <summary>Waits for all; the first error stops the others, and is the one that is thrown.</summary>
    /// <param name="together">What the tasks go by; cancelled at the first error.</param>
    public static async Task RunAsync(CancellationTokenSource together, params Task[] tasks)
    {
        var first = await Task.WhenAny(tasks);
        if (!first.IsCompletedSuccessfully)
        {
            await together.CancelAsync();
        }

        try
        {
            await Task.WhenAll(tasks);
        }
        catch when (tasks.FirstOrDefault(t => t.IsFaulted) is { } faulted)
        {
            await faulted;
        }
    }
}
