using ContainerMigrate.Volumes;

namespace ContainerMigrate.Tests.Migration;

/// <summary>A host that has no directory for anybody.</summary>
internal sealed class MadeUpDirectories : IHostDirectories
{
    public HostPlace Look(string path, bool followLink) => new(PlaceKind.Missing, "1:1", long.MaxValue, long.MaxValue, IsAllowed: true, MayBeShared: false);

    public Task<string?> FingerprintAsync(string path, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public string? LeaveToken(string directory) => null;

    public Task<bool> SeesTokenAsync(string directory, string token, CancellationToken cancellationToken) => Task.FromResult(false);

    public void RemoveToken(string directory, string token)
    {
    }

    public DirectoryClaim Plan(string path, string? asideName) => new() { Path = path, FirstMade = path };

    public DirectoryClaim Make(DirectoryClaim claim) => claim with { Inode = 1 };

    public void Undo(DirectoryClaim claim)
    {
    }

    public void Settle(DirectoryClaim claim)
    {
    }

    public DirectoryClaim? Identify(string path) => null;

    public void Remove(DirectoryClaim claim)
    {
    }
}
