using System.ComponentModel;
using System.Diagnostics;

namespace ContainerMigrate.Cli.Evacuation;

/// <summary>Whether this host is going down, as systemd says.</summary>
internal static class SystemState
{
    /// <summary>True from when a shutdown, reboot or halt is begun. What stops a single service does not count, nor a host without systemd.</summary>
    /// <param name="systemctl">The program.</param>
    public static async Task<bool> IsStoppingAsync(string systemctl, CancellationToken cancellationToken)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(systemctl, ["is-system-running"]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var answer = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return answer.Trim() == "stopping";
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
