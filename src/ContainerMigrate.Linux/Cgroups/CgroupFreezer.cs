using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Migration;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Cgroups;

/// <inheritdoc cref="ICgroupFreezer"/>
public sealed class CgroupFreezer(TimeProvider? timeProvider = null) : ICgroupFreezer
{
    // Only how soon a cancellation is seen; the kernel wakes the poll when the state changes.
    private const int CancellationIntervalMs = 50;

    private readonly TimeProvider _time = timeProvider ?? TimeProvider.System;

    /// <inheritdoc/>
    public async Task FreezeAsync(string cgroupDirectory, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var directory = CgroupPath.Check(cgroupDirectory);
        var freeze = Path.Combine(directory, "cgroup.freeze");
        try
        {
            var wasRequested = File.ReadAllText(freeze).StartsWith('1');
            File.WriteAllText(freeze, "1");
            var frozen = false;
            try
            {
                frozen = await DedicatedThread.RunAsync("freeze", () => WaitUntilFrozen(directory, timeout, cancellationToken));
            }
            finally
            {
                if (!frozen && !wasRequested)
                {
                    File.WriteAllText(freeze, "0");
                }
            }

            if (!frozen)
            {
                throw new MigrationException(
                    "freeze",
                    $"the kernel had not stopped all processes of {directory} after {timeout.TotalSeconds:0.#} s",
                    "a process waiting for a disk or a file server (state D), or one held by a debugger, cannot be frozen");
            }
        }
        catch (IOException exception)
        {
            throw new MigrationException("freeze", $"{directory}: {exception.Message}", innerException: exception);
        }
    }

    /// <inheritdoc/>
    public void Request(string cgroupDirectory) => Set(cgroupDirectory, "1");

    /// <inheritdoc/>
    public Task ThawAsync(string cgroupDirectory, CancellationToken cancellationToken)
    {
        Set(cgroupDirectory, "0");
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public bool IsFrozen(string cgroupDirectory)
    {
        try
        {
            // The kernel calls one without processes frozen, too.
            var events = File.ReadAllText(Path.Combine(CgroupPath.Check(cgroupDirectory), "cgroup.events"));
            return CgroupEvents.IsFrozen(events) && events.Contains("populated 1", StringComparison.Ordinal);
        }
        catch (IOException exception) when (IsGone(exception))
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void RemoveEmpty(string cgroupDirectory)
    {
        var directory = CgroupPath.Check(cgroupDirectory);
        try
        {
            // The kernel takes no cgroup away that has children or processes.
            foreach (var child in Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories).OrderByDescending(d => d.Length).Append(directory))
            {
                Directory.Delete(child);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is gone, or in use.
        }
    }

    private static void Set(string cgroupDirectory, string value)
    {
        var directory = CgroupPath.Check(cgroupDirectory);
        try
        {
            File.WriteAllText(Path.Combine(directory, "cgroup.freeze"), value);
        }
        catch (IOException exception) when (IsGone(exception))
        {
            // Nothing is left that could be frozen.
        }
    }

    private bool WaitUntilFrozen(string directory, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var events = File.OpenHandle(Path.Combine(directory, "cgroup.events"));
        var started = _time.GetTimestamp();
        Span<byte> buffer = stackalloc byte[256];
        while (true)
        {
            // Reading first arms the poll: it returns at once when the state has changed since (kernfs_fop_poll).
            var count = RandomAccess.Read(events, buffer, 0);
            if (CgroupEvents.IsFrozen(System.Text.Encoding.ASCII.GetString(buffer[..count])))
            {
                return true;
            }

            cancellationToken.ThrowIfCancellationRequested();
            var left = timeout - _time.GetElapsedTime(started);
            if (left <= TimeSpan.Zero)
            {
                return false;
            }

            WaitForChange(events, (int)Math.Ceiling(Math.Min(left.TotalMilliseconds, CancellationIntervalMs)));
        }
    }

    private static void WaitForChange(SafeFileHandle events, int timeoutMs)
    {
        var poll = new Libc.PollDescriptor { Descriptor = (int)events.DangerousGetHandle(), Events = Libc.PollPriority };
        if (Libc.Poll(ref poll, 1, timeoutMs) < 0 && Errno.Last != Errno.Interrupted)
        {
            throw Errno.Exception("waiting for cgroup.events", Errno.Last);
        }
    }

    // A removed cgroup whose files are open, or are opened while it goes, answers ENODEV.
    private static bool IsGone(IOException exception) =>
        exception is FileNotFoundException or DirectoryNotFoundException || exception.HResult == Errno.NoDevice;
}
