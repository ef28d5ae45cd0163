using ContainerMigrate.Volumes;

namespace ContainerMigrate.Tests.Migration;

/// <summary>Directories of a made-up host. What is made, undone and removed are steps of the daemon's life.</summary>
internal sealed class MachineDirectories(DaemonLife life, Machine machine) : IHostDirectories
{
    public HostPlace Look(string path, bool followLink) =>
        new(machine.Directories.Contains(path) ? PlaceKind.Directory : PlaceKind.Missing, "1:1", long.MaxValue, long.MaxValue, IsAllowed: true, MayBeShared: false);

    public FileSystemLimits FindLimits(string path) => FileSystemLimits.None;

    public Task<string?> FindUnsupportedAsync(string directory, FileSystemLimits limits, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public Task<string?> FingerprintAsync(string path, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public string? LeaveToken(string directory) => null;

    public Task<bool> SeesTokenAsync(string directory, string token, CancellationToken cancellationToken) => Task.FromResult(false);

    public void RemoveToken(string directory, string token)
    {
    }

    public DirectoryClaim Plan(string path, string? asideName) => new() { Path = path, FirstMade = path };

    public DirectoryClaim PlanFile(string path, string stageName) => throw new NotSupportedException();

    public DirectoryClaim Arrived(DirectoryClaim claim) => throw new NotSupportedException();

    public void Place(DirectoryClaim claim) => throw new NotSupportedException();

    public DirectoryClaim Make(DirectoryClaim claim)
    {
        life.Step("make directory", () => machine.Directories.Add(claim.Path));
        return claim with { Inode = 1 };
    }

    public void Undo(DirectoryClaim claim) => life.Step("undo directory", () => machine.Directories.Remove(claim.Path));

    public void Settle(DirectoryClaim claim) => life.Step("settle directory", () => { });

    public DirectoryClaim? Identify(string path) => machine.Directories.Contains(path) ? new DirectoryClaim { Path = path, Inode = 1 } : null;

    public void Remove(DirectoryClaim claim) => life.Step("remove directory", () => machine.Directories.Remove(claim.Path));
}
