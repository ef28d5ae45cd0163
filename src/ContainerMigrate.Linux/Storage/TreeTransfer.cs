namespace ContainerMigrate.Linux.Storage;

/// <summary>The two halves of a copy: a thread that makes the system calls of files, and a task that carries full blocks over the network.</summary>
internal static class TreeTransfer
{
    /// <summary>Waits for both; the first that fails stops the other, and its reason is the one thrown.</summary>
    public static async Task CompleteBothAsync(Task one, Task other, CancellationTokenSource stop)
    {
        var first = await Task.WhenAny(one, other);
        if (!first.IsCompletedSuccessfully)
        {
            await stop.CancelAsync();
        }

        var second = first == one ? other : one;
        await Task.WhenAny(second);
        await first;
        await second;
    }

    public static Task<T> StartThread<T>(Func<T> work, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(work, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
