using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Api;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Daemon.TtyRelay;

/// <summary>
/// <c>ctmigrated tty-relay SHIM_SOCKET OWN_SOCKET</c>, the terminal of a restored container. containerd's shim wants the master of
/// the container's pseudo-terminal before <c>create</c> returns, CRIU hands out the restored one only while it restores. This process
/// gives the shim a master of its own and then carries bytes and window sizes between the two, for as long as the container
/// lives. It is started by hooks/ctmigrate-runc as the leader of a session, and prints "ready" when the shim has its master.
/// </summary>
internal static class TtyRelayCommand
{
    internal const string Name = "tty-relay";

    private const int CannotRelay = 1;

    // Never disposed of: a signal that is on its way when this process ends would find nobody who cancels it.
    private static PosixSignalRegistration? _hungUp;

    private static ReadOnlySpan<byte> Ready => "ready\n"u8;

    // Console is not used here, nor anything else that would make a process larger that lives as long as a container.
    internal static int Run(string shimSocket, string ownSocket)
    {
        // The end of the shim's terminal is seen by poll(2); the signal that comes with it must not end this process halfway.
        _hungUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal => signal.Cancel = true);
        try
        {
            var (shimMaster, slave) = PseudoTerminal.Open();
            using (slave)
            using (var restoredMaster = Exchange(shimMaster, slave, shimSocket, ownSocket))
            {
                if (restoredMaster is not null)
                {
                    Relay(slave, restoredMaster);
                }
            }

            return ExitCodes.Done;
        }
        catch (IOException e)
        {
            TerminalLibc.Write(2, Encoding.UTF8.GetBytes($"ctmigrated tty-relay: {e.Message}\n"));
            return CannotRelay;
        }
    }

    /// <summary>Gives the shim its master, and waits for the one of the restored terminal.</summary>
    /// <returns>Null when the container was not restored after all.</returns>
    private static SafeFileHandle? Exchange(SafeFileHandle shimMaster, SafeFileHandle slave, string shimSocket, string ownSocket)
    {
        using var listener = DescriptorSocket.Listen(ownSocket);
        using (shimMaster)
        using (var shim = DescriptorSocket.Connect(shimSocket))
        {
            shim.SendDescriptor(shimMaster);
        }

        PseudoTerminal.MakeControlling(slave);
        TerminalLibc.Check(TerminalLibc.Write(1, Ready), "write");
        PseudoTerminal.LeaveStandardStreams();
        return listener.AcceptDescriptor(giveUpWhenHungUp: slave);
    }

    private static void Relay(SafeFileHandle slave, SafeFileHandle restoredMaster)
    {
        // Before the first copy, so that no change falls between the two.
        using var resized = PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => PseudoTerminal.CopyWindowSize(slave, restoredMaster));
        if (!PseudoTerminal.CopyWindowSize(slave, restoredMaster))
        {
            PseudoTerminal.CopyWindowSize(restoredMaster, slave);
        }

        new TerminalRelay(slave, restoredMaster).Run();
    }
}
