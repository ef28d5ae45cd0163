using System.ComponentModel;
using Microsoft.Extensions.Logging;

namespace ContainerMigrate.Linux.Systemd;

/// <summary>
/// Transient scopes in <c>ctmigrate.slice</c>, made by systemd's <c>StartTransientUnit</c> (org.freedesktop.systemd1(5)). Without systemd, nothing is done: there is
/// no service either that could end the process.
/// </summary>
public sealed partial class SystemdScopes(ILogger<SystemdScopes> logger) : IServiceScopes
{
    private const string Slice = "ctmigrate.slice";

    // At shutdown units are stopped in the reverse order: the runtimes, whose containers need the process, before it.
    private static readonly string[] StoppedBefore = ["docker.service", "containerd.service"];

    /// <inheritdoc/>
    public async Task AdoptAsync(string name, string description, int processId)
    {
        if (!Directory.Exists("/run/systemd/system")) // sd_booted(3)
        {
            return;
        }

        try
        {
            await Task.Run(() => Start(name + ".scope", description, (uint)processId));
        }
        catch (Exception e) when (e is Win32Exception or DllNotFoundException)
        {
            LogStays(processId, name, e.Message);
        }
    }

    private static void Start(string unit, string description, uint processId)
    {
        using var bus = SystemdBus.OpenSystem();
        using var call = bus.NewCall("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit");
        call.Append(unit);
        call.Append("fail");
        call.InArray("(sv)", () =>
        {
            call.Property("Description", "s", () => call.Append(description));
            call.Property("Slice", "s", () => call.Append(Slice));
            call.Property("PIDs", "au", () => call.InArray("u", () => call.Append(processId)));
            call.Property("CollectMode", "s", () => call.Append("inactive-or-failed"));
            call.Property("Before", "as", () => call.InArray("s", () => Array.ForEach(StoppedBefore, call.Append)));
        });
        call.InArray("(sa(sv))", () => { });
        bus.Call(call);
    }

    [LoggerMessage(LogLevel.Warning, "process {Process} stays in the daemon's own unit, {Scope} could not be made: {Reason}")]
    private partial void LogStays(int process, string scope, string reason);
}
