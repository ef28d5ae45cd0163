using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Daemon.TtyRelay;

/// <summary>Carries bytes both ways between the shim's terminal and the restored one, without ever blocking on either.</summary>
/// <param name="outer">The slave whose master the shim holds. Hung up when the shim lets go of it, which is the end.</param>
/// <param name="inner">
/// The master of the restored terminal. Hung up while no process has its slave open; that may pass, as it may for the shim in an ordinary container.
/// </param>
internal sealed class TerminalRelay(SafeFileHandle outer, SafeFileHandle inner)
{
    private const int HungUpRetryMilliseconds = 100;

    private readonly PendingBytes _input = new();
    private readonly PendingBytes _output = new();

    /// <summary>Returns when the shim has let go of its terminal.</summary>
    internal void Run()
    {
        TerminalLibc.MakeNonBlocking(outer);
        TerminalLibc.MakeNonBlocking(inner);
        Span<TerminalLibc.PollDescriptor> polled = stackalloc TerminalLibc.PollDescriptor[2];
        var innerIsHungUp = false;
        while (true)
        {
            // A descriptor that is hung up makes poll(2) return at once, whatever is asked of it: leave it out, and look again later.
            polled[0] = Wanted(outer, reading: _input, writing: _output);
            polled[1] = innerIsHungUp ? new() { Descriptor = -1 } : Wanted(inner, reading: _output, writing: _input);
            TerminalLibc.PollInterruptibly(polled, innerIsHungUp ? HungUpRetryMilliseconds : TerminalLibc.Forever);
            innerIsHungUp = false;

            if ((polled[1].Returned & TerminalLibc.PollIn) != 0)
            {
                innerIsHungUp = !_output.Fill(inner);
            }
            else if ((polled[1].Returned & TerminalLibc.PollGone) != 0)
            {
                innerIsHungUp = true;
            }

            if ((polled[0].Returned & TerminalLibc.PollGone) != 0
                || ((polled[0].Returned & TerminalLibc.PollIn) != 0 && !_input.Fill(outer))
                || !_output.Drain(outer))
            {
                return;
            }

            if (!_input.Drain(inner))
            {
                innerIsHungUp = true;
            }
        }
    }

    // More is read only when the last of it is written, so that neither side can fill this process.
    private static TerminalLibc.PollDescriptor Wanted(SafeFileHandle terminal, PendingBytes reading, PendingBytes writing) => new()
    {
        Descriptor = (int)terminal.DangerousGetHandle(),
        Events = (short)((reading.IsEmpty ? TerminalLibc.PollIn : 0) | (writing.IsEmpty ? 0 : TerminalLibc.PollOut)),
    };

    private sealed class PendingBytes
    {
        private readonly byte[] _buffer = new byte[4096]; // the kernel's own buffer of a terminal (N_TTY_BUF_SIZE)
        private int _start;
        private int _end;

        internal bool IsEmpty => _start == _end;

        /// <returns>False when there is nothing more to come.</returns>
        internal bool Fill(SafeFileHandle from)
        {
            if (!IsEmpty)
            {
                return true;
            }

            var read = TerminalLibc.Read(from, _buffer);
            _start = 0;
            _end = (int)Math.Max(read, 0);
            return read > 0 || (read < 0 && TerminalLibc.IsPassing());
        }

        /// <summary>Writes what the terminal takes now.</summary>
        /// <returns>False when it takes nothing ever again.</returns>
        internal bool Drain(SafeFileHandle to)
        {
            while (!IsEmpty)
            {
                var written = TerminalLibc.Write(to, _buffer.AsSpan(_start, _end - _start));
                if (written < 0)
                {
                    return TerminalLibc.IsPassing();
                }

                _start += (int)written;
            }

            return true;
        }
    }
}
