using System.Globalization;

namespace ContainerMigrate.Daemon.Systemd;

/// <summary>READY=1 once everything listens, STOPPING=1 when the stop begins, WATCHDOG=1 twice in each interval that systemd asks for.</summary>
internal sealed class SystemdNotifications : BackgroundService
{
    private readonly SystemdNotifier _notifier = new(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _time;

    public SystemdNotifications(IHostApplicationLifetime lifetime, TimeProvider time)
    {
        _time = time;
        lifetime.ApplicationStarted.Register(() =>
        {
            _notifier.Send("READY=1");
            _started.SetResult();
        });
        lifetime.ApplicationStopping.Register(() => _notifier.Send("STOPPING=1"));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) || microseconds == 0)
        {
            return;
        }

        await _started.Task.WaitAsync(stoppingToken);

        // Goes on through a stop that takes its time: hosted services stop in the reverse order of their registration.
        using var timer = new PeriodicTimer(TimeSpan.FromMicroseconds(microseconds) / 2, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            _notifier.Send("WATCHDOG=1");
        }
    }
}
