namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Removes a container, whatever state it is in and however often it is asked.</summary>
internal static class DockerRemoval
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    /// <exception cref="DockerApiException">It is still there after the time.</exception>
    public static async Task RemoveAsync(
        DockerClient client, DockerInspector inspector, DockerOptions options, string id, bool withVolumes, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(options.RemoveTimeout);
        try
        {
            while (true)
            {
                try
                {
                    await client.DeleteAsync($"/containers/{id}?force=1&v={(withVolumes ? 1 : 0)}", timer.Token, options.RemoveTimeout);
                    return;
                }
                catch (DockerApiException e) when (e.IsNotFound)
                {
                    return;
                }
                catch (DockerApiException e) when (e.IsConflict)
                {
                    // "removal already in progress": --rm, or another call of ours.
                }

                await Task.Delay(PollInterval, timer.Token);
                if (await inspector.FindStateAsync(id, timer.Token) is null)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DockerApiException(null, $"container {id[..12]} is still there {options.RemoveTimeout.TotalSeconds:0} s after its removal was asked for", e);
        }
    }
}
