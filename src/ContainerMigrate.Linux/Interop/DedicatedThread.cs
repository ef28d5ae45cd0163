namespace ContainerMigrate.Linux.Interop;

/// <summary>
/// Work on an operating system thread of its own that ends with the work. For what changes the thread (setns(2)) or
/// blocks it: such a thread must never go back to the pool.
/// </summary>
internal static class DedicatedThread
{
    private const int StackBytes = 256 * 1024;

    internal static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        // Continuations must not run here either: the thread may sit in a container's namespace.
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(
            () =>
            {
                try
                {
                    completion.SetResult(work());
                }
                catch (Exception exception)
                {
                    completion.SetException(exception);
                }
            },
            StackBytes)
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return completion.Task;
    }
}
