using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Interop;

/// <summary>A netlink socket (netlink(7)) in the network namespace of the thread that makes it.</summary>
internal sealed partial class NetlinkSocket : IDisposable
{
    internal const int Netfilter = 12; // NETLINK_NETFILTER

    private const int AddressFamily = 16; // AF_NETLINK
    private const int RawCloseOnExec = 3 | 0x80000; // SOCK_RAW | SOCK_CLOEXEC
    private const int DoNotWait = 0x40; // MSG_DONTWAIT
    private const int TryAgain = 11; // EAGAIN

    private readonly SafeFileHandle _handle;

    internal NetlinkSocket(int protocol)
    {
        var descriptor = Open(AddressFamily, RawCloseOnExec, protocol);
        if (descriptor < 0)
        {
            throw Errno.Exception("opening a netlink socket", Errno.Last);
        }

        _handle = new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Hands a request to the kernel, which has carried it out and queued its answers when this returns.</summary>
    internal unsafe void Send(ReadOnlySpan<byte> request)
    {
        fixed (byte* bytes = request)
        {
            nint sent;
            while ((sent = Send(_handle, bytes, (nuint)request.Length, 0)) < 0 && Errno.Last == Errno.Interrupted)
            {
            }

            if (sent != request.Length)
            {
                throw Errno.Exception("sending to netlink", Errno.Last);
            }
        }
    }

    /// <summary>The next datagram of answers; empty when there is none left.</summary>
    internal unsafe ReadOnlySpan<byte> Receive(Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
        {
            nint count;
            while ((count = Receive(_handle, bytes, (nuint)buffer.Length, DoNotWait)) < 0 && Errno.Last == Errno.Interrupted)
            {
            }

            return count >= 0 ? buffer[..(int)count] : Errno.Last == TryAgain ? [] : throw Errno.Exception("reading from netlink", Errno.Last);
        }
    }

    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Open(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint Send(SafeFileHandle socket, byte* bytes, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint Receive(SafeFileHandle socket, byte* bytes, nuint count, int flags);
}
