using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Daemon.TtyRelay;

/// <summary>A unix stream socket over which a terminal's master is handed, as runc and containerd do it: its name as the data, itself as SCM_RIGHTS.</summary>
internal sealed class DescriptorSocket : IDisposable
{
    private const int NameBytes = 4096; // what containerd/go-runc reads
    private const int RightsBytes = 24; // CMSG_SPACE(sizeof(int)): a header of 16 bytes, the descriptor, padding

    private readonly SafeFileHandle _handle;
    private string? _path;

    private DescriptorSocket(SafeFileHandle handle) => _handle = handle;

    private static ReadOnlySpan<byte> MasterName => "/dev/ptmx"u8;

    internal static DescriptorSocket Listen(string path)
    {
        File.Delete(path);
        var address = Address(path);
        var socket = Create();
        TerminalLibc.Check(TerminalLibc.Bind(socket._handle, address, address.Length), $"bind {path}");
        socket._path = path;
        TerminalLibc.Check(TerminalLibc.Listen(socket._handle, 1), $"listen {path}");
        return socket;
    }

    internal static DescriptorSocket Connect(string path)
    {
        var address = Address(path);
        var socket = Create();
        TerminalLibc.Check(TerminalLibc.Connect(socket._handle, address, address.Length), $"connect {path}");
        return socket;
    }

    internal unsafe void SendDescriptor(SafeFileHandle descriptor)
    {
        var control = stackalloc byte[RightsBytes];
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(control, 8), 20); // cmsg_len: header and one descriptor
        BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 8, 4), TerminalLibc.SocketLevel);
        BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 12, 4), TerminalLibc.Rights);
        BinaryPrimitives.WriteInt32LittleEndian(new Span<byte>(control + 16, 4), (int)descriptor.DangerousGetHandle());
        fixed (byte* name = MasterName)
        {
            var data = new TerminalLibc.DataVector { Start = name, Length = (nuint)MasterName.Length };
            var message = new TerminalLibc.Message { Data = &data, DataCount = 1, Control = control, ControlLength = RightsBytes };
            TerminalLibc.Check((int)TerminalLibc.SendMessage(_handle, &message, TerminalLibc.NoSignal), "sendmsg");
        }
    }

    /// <summary>Waits for a connection and the descriptor that comes over it.</summary>
    /// <returns>Null when the connection ended without one, or <paramref name="giveUpWhenHungUp"/> was hung up meanwhile.</returns>
    internal SafeFileHandle? AcceptDescriptor(SafeFileHandle giveUpWhenHungUp)
    {
        if (!WaitForInput(giveUpWhenHungUp))
        {
            return null;
        }

        using var connection = new DescriptorSocket(new SafeFileHandle(
            TerminalLibc.Check(TerminalLibc.Accept(_handle, 0, 0, TerminalLibc.CloseOnExec), "accept"), ownsHandle: true));
        return connection.WaitForInput(giveUpWhenHungUp) ? connection.ReceiveDescriptor() : null;
    }

    public void Dispose()
    {
        _handle.Dispose();
        if (File.Exists(_path))
        {
            File.Delete(_path);
        }
    }

    private static DescriptorSocket Create() => new(new SafeFileHandle(
        TerminalLibc.Check(TerminalLibc.Socket(TerminalLibc.UnixFamily, TerminalLibc.Stream | TerminalLibc.CloseOnExec, 0), "socket"), ownsHandle: true));

    // struct sockaddr_un: the family and at most 107 bytes of path, with a zero at the end
    private static byte[] Address(string path)
    {
        const int LongestPath = 107;
        var bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes > LongestPath)
        {
            throw new IOException($"{path} is longer than the {LongestPath} bytes of a socket's address");
        }

        var address = new byte[2 + bytes + 1];
        BinaryPrimitives.WriteInt16LittleEndian(address, TerminalLibc.UnixFamily);
        Encoding.UTF8.GetBytes(path, address.AsSpan(2));
        return address;
    }

    private bool WaitForInput(SafeFileHandle giveUpWhenHungUp)
    {
        Span<TerminalLibc.PollDescriptor> polled =
        [
            new() { Descriptor = (int)_handle.DangerousGetHandle(), Events = TerminalLibc.PollIn },
            new() { Descriptor = (int)giveUpWhenHungUp.DangerousGetHandle() },
        ];
        while (TerminalLibc.PollInterruptibly(polled, TerminalLibc.Forever) == 0)
        {
        }

        return polled[0].Returned != 0;
    }

    private unsafe SafeFileHandle? ReceiveDescriptor()
    {
        var control = stackalloc byte[RightsBytes];
        var name = stackalloc byte[NameBytes];
        var data = new TerminalLibc.DataVector { Start = name, Length = NameBytes };
        var message = new TerminalLibc.Message { Data = &data, DataCount = 1, Control = control, ControlLength = RightsBytes };
        var received = TerminalLibc.Check((int)TerminalLibc.ReceiveMessage(_handle, &message, TerminalLibc.ReceiveCloseOnExec), "recvmsg");
        if (received == 0 || message.ControlLength < 20
            || BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 8, 4)) != TerminalLibc.SocketLevel
            || BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 12, 4)) != TerminalLibc.Rights)
        {
            return null;
        }

        return new SafeFileHandle(BinaryPrimitives.ReadInt32LittleEndian(new ReadOnlySpan<byte>(control + 16, 4)), ownsHandle: true);
    }
}
