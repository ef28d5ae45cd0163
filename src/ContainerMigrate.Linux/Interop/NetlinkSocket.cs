using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Interop;

/// <summary>A netlink socket (netlink(7)) in the network namespace of the thread that makes it.</summary>
internal sealed partial class NetlinkSocket : IDisposable
{
    internal const int Netfilter = 12; // NETLINK_NETFILTER
    internal const int Connector = 11; // NETLINK_CONNECTOR

    private const int AddressFamily = 16; // AF_NETLINK
    private const int RawCloseOnExec = 3 | 0x80000; // SOCK_RAW | SOCK_CLOEXEC
    private const int DoNotWait = 0x40; // MSG_DONTWAIT
    private const int TryAgain = 11; // EAGAIN

    private const int DumpBufferBytes = 64 * 1024; // the kernel fills up to 32 KiB at a time (netlink_dump)

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

    /// <summary>Also receives what the kernel tells everybody who has joined one of these groups (a bit mask).</summary>
    internal void Join(uint groups)
    {
        var address = new Address { Family = AddressFamily, Groups = groups };
        if (Bind(_handle, in address, 12) != 0)
        {
            throw Errno.Exception("joining a netlink group", Errno.Last);
        }
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

    /// <summary>For what the kernel says unasked, in any amount: room for it, and no error when that is used up and something is lost.</summary>
    internal void MakeRoom(int bytes)
    {
        const int SocketLevel = 1; // SOL_SOCKET
        const int ReceiveBufferForce = 33; // SO_RCVBUFFORCE
        const int NetlinkLevel = 270; // SOL_NETLINK
        const int NoBufferErrors = 5; // NETLINK_NO_ENOBUFS
        var on = 1;
        if (SetOption(_handle, SocketLevel, ReceiveBufferForce, in bytes, sizeof(int)) != 0 || SetOption(_handle, NetlinkLevel, NoBufferErrors, in on, sizeof(int)) != 0)
        {
            throw Errno.Exception("preparing a netlink socket", Errno.Last);
        }
    }

    /// <summary>Waits until there is something to receive.</summary>
    /// <returns>False when the time has passed.</returns>
    internal bool Wait(TimeSpan timeout)
    {
        var descriptor = new Libc.PollDescriptor { Descriptor = (int)_handle.DangerousGetHandle(), Events = Libc.PollIn };
        return Libc.Poll(ref descriptor, 1, (int)timeout.TotalMilliseconds) > 0;
    }

    /// <summary>All datagrams of a dump request whose family header is all zeros.</summary>
    internal List<byte[]> Dump(ushort type, int headerBytes)
    {
        const int Attempts = 10;
        for (var attempt = 1; ; attempt++)
        {
            var (datagrams, interrupted) = DumpOnce(type, headerBytes);
            if (!interrupted || attempt == Attempts)
            {
                return datagrams;
            }
        }
    }

    private (List<byte[]> Datagrams, bool Interrupted) DumpOnce(ushort type, int headerBytes)
    {
        const int NetlinkHeaderBytes = 16;
        const ushort RequestDump = 0x301; // NLM_F_REQUEST | NLM_F_DUMP
        var request = new byte[NetlinkHeaderBytes + headerBytes];
        BitConverter.TryWriteBytes(request, request.Length);
        BitConverter.TryWriteBytes(request.AsSpan(4), type);
        BitConverter.TryWriteBytes(request.AsSpan(6), RequestDump);
        Send(request);
        List<byte[]> datagrams = [];
        var interrupted = false;
        var buffer = new byte[DumpBufferBytes];
        while (true)
        {
            var datagram = Receive(buffer);
            if (datagram.IsEmpty)
            {
                throw new IOException("netlink ended a dump early");
            }

            datagrams.Add(datagram.ToArray());
            foreach (var message in new NetlinkMessages(datagram))
            {
                interrupted |= message.IsInterrupted;
                if (message.Error is { } error and not 0)
                {
                    throw Errno.Exception("netlink dump", error);
                }

                if (message.IsDone)
                {
                    return (datagrams, interrupted);
                }
            }
        }
    }

    public void Dispose() => _handle.Dispose();

    // struct sockaddr_nl of linux/netlink.h
    [StructLayout(LayoutKind.Sequential)]
    private struct Address
    {
        internal ushort Family;
        internal ushort Padding;
        internal uint Port;
        internal uint Groups;
    }

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeFileHandle socket, in Address address, uint length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetOption(SafeFileHandle socket, int level, int option, in int value, uint length);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Open(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint Send(SafeFileHandle socket, byte* bytes, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint Receive(SafeFileHandle socket, byte* bytes, nuint count, int flags);
}
