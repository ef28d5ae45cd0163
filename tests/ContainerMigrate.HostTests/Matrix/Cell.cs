using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests.Matrix;

/// <summary>One fault at one moment of one migration.</summary>
public sealed class Cell(Moment moment, Fault fault, LabHost source, LabHost destination) : IAsyncDisposable
{
    public const string Journals = "/var/lib/ctmigrate/migrations";

    /// <summary>Longer than freeze, gate, lease and what TCP waits for.</summary>
    public static readonly TimeSpan BeyondAllLimits = TimeSpan.FromSeconds(12);

    private readonly Stack<IAsyncDisposable> _undo = [];

    public Moment Moment => moment;

    public Fault Fault => fault;

    public LabHost Source => source;

    public LabHost Destination => destination;

    /// <summary>Disposed of at the cell's end.</summary>
    public void Undo(IAsyncDisposable what) => _undo.Push(what);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        while (_undo.TryPop(out var undo))
        {
            await undo.DisposeAsync();
        }

        foreach (var host in new[] { source, destination })
        {
            await LabFixture.LabAsync("link", host.Name, "up");
            await CutLink.EndAsync(host);
            await CrawlingLink.EndAsync(host);
            await host.ShellAsync($"if mountpoint -q {Journals}; then umount -l {Journals}; fi");
        }
    }
}
