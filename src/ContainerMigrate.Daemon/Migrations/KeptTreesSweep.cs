using ContainerMigrate.Storage;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>Removes what failed migrations have left for another attempt, when nobody has come back for it.</summary>
internal sealed class KeptTreesSweep(IKeptTrees kept, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            await Task.Run(kept.Sweep, stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
