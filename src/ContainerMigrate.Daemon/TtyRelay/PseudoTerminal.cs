using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Daemon.TtyRelay;

/// <summary>Pseudo-terminals (pty(7)), and what the process does with the one that controls it.</summary>
internal static class PseudoTerminal
{
    /// <summary>Opens a new pair. The slave passes every byte as it is: the line discipline is the restored terminal's.</summary>
    internal static unsafe (SafeFileHandle Master, SafeFileHandle Slave) Open()
    {
        var master = new SafeFileHandle(
            TerminalLibc.Check(TerminalLibc.OpenTerminal(TerminalLibc.ReadWrite | TerminalLibc.NoControllingTerminal | TerminalLibc.CloseOnExec), "posix_openpt"),
            ownsHandle: true);
        TerminalLibc.Check(TerminalLibc.GrantTerminal(master), "grantpt");
        TerminalLibc.Check(TerminalLibc.UnlockTerminal(master), "unlockpt");
        var slave = new SafeFileHandle(
            TerminalLibc.Check(
                TerminalLibc.Control(master, TerminalLibc.GetPeer, TerminalLibc.ReadWrite | TerminalLibc.NoControllingTerminal | TerminalLibc.CloseOnExec),
                "ioctl TIOCGPTPEER"),
            ownsHandle: true);

        var settings = stackalloc byte[TerminalLibc.TerminalSettingsBytes];
        TerminalLibc.Check(TerminalLibc.GetSettings(slave, settings), "tcgetattr");
        TerminalLibc.MakeRaw(settings);
        TerminalLibc.Check(TerminalLibc.SetSettings(slave, 0, settings), "tcsetattr");
        return (master, slave);
    }

    /// <summary>Makes the terminal that of this session, so that the kernel signals its changes of size (SIGWINCH) to this process.</summary>
    internal static void MakeControlling(SafeFileHandle terminal) =>
        TerminalLibc.Check(TerminalLibc.Control(terminal, TerminalLibc.SetControllingTerminal, 0), "ioctl TIOCSCTTY (is this process the leader of a session?)");

    /// <summary>Copies the size in rows and columns.</summary>
    /// <returns>False when it was never set, or one of the terminals is gone.</returns>
    internal static unsafe bool CopyWindowSize(SafeFileHandle from, SafeFileHandle to)
    {
        ulong size; // struct winsize: rows, columns and two that nobody uses, of 16 bits each
        return TerminalLibc.Control(from, TerminalLibc.GetWindowSize, (nint)(&size)) == 0
            && size != 0
            && TerminalLibc.Control(to, TerminalLibc.SetWindowSize, (nint)(&size)) == 0;
    }

    /// <summary>Lets go of standard input and output, which others may wait to see closed; errors still go to standard error.</summary>
    internal static void LeaveStandardStreams()
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        TerminalLibc.Check(TerminalLibc.Duplicate(nothing, 0), "dup2");
        TerminalLibc.Check(TerminalLibc.Duplicate(nothing, 1), "dup2");
    }
}
