using System.Runtime.InteropServices;

namespace ContainerMigrate.Cli.Following;

/// <summary>Counts Ctrl-C: the first and the second mean different things while a migration is followed.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _second = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private PosixSignalRegistration? _registration;

    public Task First => _first.Task;

    public Task Second => _second.Task;

    /// <summary>Takes SIGINT of this process over until disposed.</summary>
    public static Interrupts Listen()
    {
        var interrupts = new Interrupts();
        interrupts._registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            context.Cancel = true;
            interrupts.Raise();
        });
        return interrupts;
    }

    /// <summary>What a Ctrl-C does.</summary>
    public void Raise()
    {
        if (!_first.TrySetResult())
        {
            _second.TrySetResult();
        }
    }

    public void Dispose() => _registration?.Dispose();
}
