using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// A unix socket over which descriptors travel (SCM_RIGHTS, unix(7)). A descriptor is safe once it is sent: it stays open in the
/// socket's queue whether or not its sender lives.
/// </summary>
internal sealed unsafe partial class DescriptorChannel : IDisposable
{
    internal const int Stream = 1; // SOCK_STREAM, which CRIU speaks
    internal const int Packets = 5; // SOCK_SEQPACKET, for our own messages
    internal const int Peek = 0x2; // MSG_PEEK
    internal const int WaitForAll = 0x100; // MSG_WAITALL
    internal const int DoNotWait = 0x40; // MSG_DONTWAIT
    internal const int NoDescriptor = -1;

    private const int UnixFamily = 1; // AF_UNIX
    private const int CloseOnExec = 0x80000; // SOCK_CLOEXEC
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int Rights = 1; // SCM_RIGHTS
    private const int NoSignal = 0x4000; // MSG_NOSIGNAL
    private const int ReceiveCloseOnExec = 0x40000000; // MSG_CMSG_CLOEXEC
    private const int RightsBytes = 24; // CMSG_SPACE(sizeof(int)): a header of 16 bytes, the descriptor, padding

    internal DescriptorChannel(SafeFileHandle handle) => Handle = handle;

    internal SafeFileHandle Handle { get; }

    /// <exception cref="IOException">The path is too long or cannot be made.</exception>
    internal static DescriptorChannel Listen(string path, int type)
    {
        File.Delete(path);
        var channel = Create(type);
        using var address = new SocketAddress(path);
        Check(Bind(channel.Handle, address.Bytes, address.Length), $"bind {path}");
        Check(Listen(channel.Handle, 8), $"listen {path}");
        return channel;
    }

    /// <returns>Null when nobody listens there.</returns>
    internal static DescriptorChannel? TryConnect(string path, int type)
    {
        var channel = Create(type);
        using var address = new SocketAddress(path);
        if (Connect(channel.Handle, address.Bytes, address.Length) == 0)
        {
            return channel;
        }

        channel.Dispose();
        return null;
    }

    internal DescriptorChannel Accept() => new(Wrap(Accept(Handle, 0, 0, CloseOnExec), "accept"));

    /// <summary>Sends a message, with a descriptor or without.</summary>
    /// <returns>False when the other side is gone.</returns>
    internal bool TrySend(ReadOnlySpan<byte> content, SafeFileHandle? descriptor) =>
        TrySend(content, descriptor is null ? NoDescriptor : (int)descriptor.DangerousGetHandle());

    /// <summary>Sends a message, with a descriptor or <see cref="NoDescriptor"/>. Allocates nothing.</summary>
    /// <returns>False when the other side is gone.</returns>
    internal bool TrySend(ReadOnlySpan<byte> content, int descriptor, int flags = 0)
    {
        var control = stackalloc byte[RightsBytes];
        fixed (byte* bytes = content)
        {
            var data = new DataVector { Start = bytes, Length = (nuint)content.Length };
            var message = new Message { Data = &data, DataCount = 1 };
            if (descriptor != NoDescriptor)
            {
                BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(control, 8), 20); // cmsg_len: header and one descriptor
                BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 8, 4), SocketLevel);
                BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 12, 4), Rights);
                BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 16, 4), descriptor);
                message.Control = control;
                message.ControlLength = RightsBytes;
            }

            nint sent;
            while ((sent = SendMessage(Handle, &message, NoSignal | flags)) < 0 && Errno.Last == Errno.Interrupted)
            {
            }

            return sent == content.Length;
        }
    }

    /// <summary>Waits for a message.</summary>
    /// <param name="buffer">Is filled as far as the message goes.</param>
    /// <param name="flags"><see cref="Peek"/> leaves it in the queue, descriptor included; <see cref="WaitForAll"/> fills the buffer.</param>
    /// <param name="descriptor">What came along; null for nothing.</param>
    /// <returns>Bytes; 0 when the other side is gone.</returns>
    internal int Receive(Span<byte> buffer, int flags, out SafeFileHandle? descriptor)
    {
        var control = stackalloc byte[RightsBytes];
        fixed (byte* bytes = buffer)
        {
            var data = new DataVector { Start = bytes, Length = (nuint)buffer.Length };
            var message = new Message { Data = &data, DataCount = 1, Control = control, ControlLength = RightsBytes };
            nint received;
            while ((received = ReceiveMessage(Handle, &message, flags | ReceiveCloseOnExec)) < 0 && Errno.Last == Errno.Interrupted)
            {
            }

            descriptor = received > 0 && message.ControlLength >= 20
                         && BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 8, 4)) == SocketLevel
                         && BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 12, 4)) == Rights
                ? new SafeFileHandle(BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 16, 4)), ownsHandle: true)
                : null;
            return (int)Math.Max(received, 0); // an error is a connection that was reset
        }
    }

    public void Dispose() => Handle.Dispose();

    private static DescriptorChannel Create(int type) => new(Wrap(Socket(UnixFamily, type | CloseOnExec, 0), "socket"));

    private static SafeFileHandle Wrap(int descriptor, string call) => new(Check(descriptor, call), ownsHandle: true);

    private static int Check(int result, string call) => result >= 0 ? result : throw Errno.Exception(call, Errno.Last);

    /// <summary>struct sockaddr_un. Its path has room for 107 bytes, and ours are longer: the directory is opened, and named by its descriptor.</summary>
    private sealed class SocketAddress : IDisposable
    {
        private readonly SafeFileHandle _directory;

        internal SocketAddress(string path)
        {
            const int PathOnly = 0x200000 | 0x80000; // O_PATH | O_CLOEXEC
            _directory = Wrap(Open(Path.GetDirectoryName(path)!, PathOnly), $"open {path}");
            var name = Encoding.UTF8.GetBytes($"/proc/self/fd/{_directory.DangerousGetHandle()}/{Path.GetFileName(path)}");
            Bytes = new byte[sizeof(short) + name.Length + 1];
            BinaryPrimitives.WriteInt16LittleEndian(Bytes, UnixFamily);
            name.CopyTo(Bytes, sizeof(short));
        }

        internal byte[] Bytes { get; }

        internal int Length => Bytes.Length;

        public void Dispose() => _directory.Dispose();
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct DataVector // struct iovec
    {
        internal byte* Start;
        internal nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Message // struct msghdr
    {
        internal byte* Name;
        internal uint NameLength;
        internal DataVector* Data;
        internal nuint DataCount;
        internal byte* Control;
        internal nuint ControlLength;
        internal int Flags;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int Listen(SafeFileHandle socket, int backlog);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept(SafeFileHandle socket, nint address, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(SafeFileHandle socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(SafeFileHandle socket, Message* message, int flags);
}
