using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Interop;

/// <summary>A pidfd: stands for one process for good, whoever gets its number later.</summary>
internal sealed partial class ProcessDescriptor : IDisposable
{
    /// <summary>SIGKILL and SIGCONT, as <see cref="Signal"/> takes them.</summary>
    internal const int Kill = 9, Continue = 18;

    private const int PidfdSendSignal = 424; // these are the same on all architectures
    private const int PidfdOpen = 434;
    private const int PidfdGetfd = 438;
    private const short Readable = 1; // POLLIN

    private readonly SafeFileHandle _handle;

    private ProcessDescriptor(SafeFileHandle handle) => _handle = handle;

    /// <summary>Whether the whole process, all threads, has ended.</summary>
    internal bool HasEnded
    {
        get
        {
            var poll = new Libc.PollDescriptor { Descriptor = (int)_handle.DangerousGetHandle(), Events = Readable };
            return Libc.Poll(ref poll, 1, 0) > 0;
        }
    }

    /// <summary>Null when there is no such process.</summary>
    internal static ProcessDescriptor? Open(int id)
    {
        var handle = new SafeFileHandle(Call(PidfdOpen, id, 0, 0), ownsHandle: true);
        return handle.IsInvalid ? null : new ProcessDescriptor(handle);
    }

    /// <summary>A duplicate of one of the process's descriptors; invalid, with errno left, when it cannot be had.</summary>
    internal SafeFileHandle Duplicate(int descriptor) => new(Call(PidfdGetfd, _handle.DangerousGetHandle(), descriptor, 0), ownsHandle: true);

    /// <summary>Nothing when the process has ended.</summary>
    internal void Signal(int signal) => _ = Call(PidfdSendSignal, _handle.DangerousGetHandle(), signal, 0);

    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint first, nint second, nint third, nint fourth = 0);
}
