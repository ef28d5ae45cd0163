using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Interop;

/// <summary>Error numbers of Linux (asm-generic/errno.h); the same on x86-64 and arm64.</summary>
internal static class Errno
{
    internal const int NotPermitted = 1;
    internal const int NoEntry = 2;
    internal const int NoProcess = 3;
    internal const int Interrupted = 4;
    internal const int InputOutput = 5;
    internal const int NoChild = 10;
    internal const int Busy = 16;
    internal const int Exists = 17;
    internal const int NoDevice = 19;
    internal const int Invalid = 22;
    internal const int NotSupported = 95;

    /// <summary>What the last call of this thread left.</summary>
    internal static int Last => Marshal.GetLastPInvokeError();

    /// <summary>The C library's words for it: <c>No such file or directory</c>.</summary>
    internal static string Describe(int error) => Marshal.GetPInvokeErrorMessage(error);

    /// <summary>An exception that says what was tried and why it failed.</summary>
    internal static IOException Exception(string attempt, int error) => new($"{attempt}: {Describe(error)}", error);
}
