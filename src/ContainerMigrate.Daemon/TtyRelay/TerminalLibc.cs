using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Daemon.TtyRelay;

/// <summary>The C library's terminals, sockets and descriptors. Constants are those of x86-64 and arm64, which agree on them.</summary>
internal static unsafe partial class TerminalLibc
{
    internal const int ReadWrite = 2; // O_RDWR
    internal const int NoControllingTerminal = 0x100; // O_NOCTTY
    internal const int CloseOnExec = 0x80000; // O_CLOEXEC, SOCK_CLOEXEC
    internal const int UnixFamily = 1; // AF_UNIX
    internal const int Stream = 1; // SOCK_STREAM
    internal const int SocketLevel = 1; // SOL_SOCKET
    internal const int Rights = 1; // SCM_RIGHTS
    internal const int NoSignal = 0x4000; // MSG_NOSIGNAL
    internal const int ReceiveCloseOnExec = 0x40000000; // MSG_CMSG_CLOEXEC
    internal const int PollIn = 0x1;
    internal const int PollOut = 0x4;
    internal const int PollGone = 0x8 | 0x10 | 0x20; // POLLERR, POLLHUP, POLLNVAL
    internal const int Forever = -1;
    internal const int TerminalSettingsBytes = 128; // struct termios has 60, and is only passed along here
    internal const nuint SetControllingTerminal = 0x540E; // TIOCSCTTY
    internal const nuint GetWindowSize = 0x5413; // TIOCGWINSZ
    internal const nuint SetWindowSize = 0x5414; // TIOCSWINSZ
    internal const nuint GetPeer = 0x5441; // TIOCGPTPEER, Linux 4.13

    private const int GetFlags = 3; // F_GETFL
    private const int SetFlags = 4; // F_SETFL
    private const int NonBlocking = 0x800; // O_NONBLOCK
    private const int Interrupted = 4; // EINTR
    private const int TryAgain = 11; // EAGAIN

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollDescriptor
    {
        internal int Descriptor;
        internal short Events;
        internal short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct DataVector // struct iovec
    {
        internal byte* Start;
        internal nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Message // struct msghdr
    {
        internal byte* Name;
        internal uint NameLength;
        internal DataVector* Data;
        internal nuint DataCount;
        internal byte* Control;
        internal nuint ControlLength;
        internal int Flags;
    }

    /// <exception cref="IOException">The call failed, with errno's message.</exception>
    internal static int Check(nint result, string call) =>
        result >= 0 ? (int)result : throw new IOException($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    /// <summary>The last call failed only for now.</summary>
    internal static bool IsPassing() => Marshal.GetLastPInvokeError() is TryAgain or Interrupted;

    /// <returns>How many descriptors have something to tell; 0 after the timeout or a signal.</returns>
    internal static int PollInterruptibly(Span<PollDescriptor> descriptors, int timeoutMilliseconds)
    {
        var ready = Poll(descriptors, (nuint)descriptors.Length, timeoutMilliseconds);
        return ready < 0 && IsPassing() ? 0 : Check(ready, "poll");
    }

    internal static void MakeNonBlocking(SafeFileHandle descriptor) =>
        Check(FileControl(descriptor, SetFlags, Check(FileControl(descriptor, GetFlags, 0), "fcntl") | NonBlocking), "fcntl");

    internal static nint Read(SafeFileHandle descriptor, Span<byte> buffer) => Read(descriptor, buffer, (nuint)buffer.Length);

    internal static nint Write(SafeFileHandle descriptor, ReadOnlySpan<byte> bytes) => Write(descriptor, bytes, (nuint)bytes.Length);

    internal static nint Write(int descriptor, ReadOnlySpan<byte> bytes) => Write(descriptor, bytes, (nuint)bytes.Length);

    [LibraryImport("libc", EntryPoint = "posix_openpt", SetLastError = true)]
    internal static partial int OpenTerminal(int flags);

    [LibraryImport("libc", EntryPoint = "grantpt", SetLastError = true)]
    internal static partial int GrantTerminal(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "unlockpt", SetLastError = true)]
    internal static partial int UnlockTerminal(SafeFileHandle master);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Control(SafeFileHandle descriptor, nuint request, nint argument);

    [LibraryImport("libc", EntryPoint = "tcgetattr", SetLastError = true)]
    internal static partial int GetSettings(SafeFileHandle terminal, byte* settings);

    [LibraryImport("libc", EntryPoint = "tcsetattr", SetLastError = true)]
    internal static partial int SetSettings(SafeFileHandle terminal, int when, byte* settings);

    [LibraryImport("libc", EntryPoint = "cfmakeraw")]
    internal static partial void MakeRaw(byte* settings);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    internal static partial int Duplicate(SafeFileHandle descriptor, int to);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    internal static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    internal static partial int Bind(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    internal static partial int Listen(SafeFileHandle socket, int backlog);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    internal static partial int Connect(SafeFileHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    internal static partial int Accept(SafeFileHandle socket, nint address, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    internal static partial nint SendMessage(SafeFileHandle socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    internal static partial nint ReceiveMessage(SafeFileHandle socket, Message* message, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(Span<PollDescriptor> descriptors, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeFileHandle descriptor, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle descriptor, Span<byte> buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle descriptor, ReadOnlySpan<byte> bytes, nuint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, ReadOnlySpan<byte> bytes, nuint length);
}
