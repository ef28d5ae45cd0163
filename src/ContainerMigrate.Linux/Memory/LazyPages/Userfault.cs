using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>A userfaultfd(2) of another process's address space. Its requests have the same numbers on x86-64 and arm64.</summary>
internal sealed unsafe partial class Userfault(SafeFileHandle handle) : IDisposable
{
    private const nuint WakeRequest = 0x8010AA02; // UFFDIO_WAKE
    private const nuint CopyRequest = 0xC028AA03; // UFFDIO_COPY
    private const nuint WriteProtectRequest = 0xC018AA06; // UFFDIO_WRITEPROTECT
    private const nuint ZeroPageRequest = 0xC020AA04; // UFFDIO_ZEROPAGE

    internal SafeFileHandle Handle => handle;

    /// <summary>Puts pages where there are none, and wakes who waits for them.</summary>
    /// <param name="error">0, or errno; what was copied before it counts.</param>
    /// <returns>Bytes copied.</returns>
    internal int Copy(ulong address, byte* pages, int length, out int error)
    {
        var request = stackalloc ulong[5] { address, (ulong)pages, (ulong)length, 0, 0 }; // struct uffdio_copy: dst, src, len, mode, copy
        return Fill(CopyRequest, request, 4, out error);
    }

    /// <summary>Puts a page of zeros where there is none, and wakes who waits for it.</summary>
    /// <param name="error">0 or errno.</param>
    internal void Zero(ulong address, out int error)
    {
        var request = stackalloc ulong[4] { address, MemoryPage.Bytes, 0, 0 }; // struct uffdio_zeropage: start, len, mode, zeropage
        Fill(ZeroPageRequest, request, 3, out error);
    }

    /// <summary>Lets who waits for a page try again.</summary>
    internal void Wake(ulong address)
    {
        var range = stackalloc ulong[2] { address, MemoryPage.Bytes };
        _ = Control(handle, WakeRequest, range); // fails only for what is no range
    }

    /// <summary>Lets everybody who waits for a page try again.</summary>
    internal void WakeAll()
    {
        // From the lowest address that may be mapped (vm.mmap_min_addr) to the end of what every configuration of a kernel has for processes, less a page.
        const ulong Lowest = 0x10000, End = 0x7fff_ffff_e000;
        var range = stackalloc ulong[2] { Lowest, End - Lowest };
        _ = Control(handle, WakeRequest, range);
    }

    /// <summary>
    /// The address space has ended. Asks to take protection off a page that nobody protects: that fails with ENOENT, or, before a mapping is
    /// looked for, with ESRCH (mm/userfaultfd.c).
    /// </summary>
    internal bool IsGone
    {
        get
        {
            const int NoProcess = 3; // ESRCH
            var request = stackalloc ulong[3] { 0x10000, MemoryPage.Bytes, 0 }; // struct uffdio_writeprotect: start, len, mode
            return Control(handle, WriteProtectRequest, request) != 0 && Errno.Last == NoProcess;
        }
    }

    /// <summary>Reads the next event, if there is one.</summary>
    /// <exception cref="IOException">The kernel refuses, which it has no reason for.</exception>
    internal bool TryRead(out UserfaultEvent message)
    {
        const int TryAgain = 11;
        fixed (UserfaultEvent* to = &message)
        {
            nint read;
            while ((read = Read(handle, (byte*)to, UserfaultEvent.Bytes)) < 0 && Errno.Last == Errno.Interrupted)
            {
            }

            return read == UserfaultEvent.Bytes || (read < 0 && Errno.Last == TryAgain ? false : throw Errno.Exception("reading a userfaultfd", Errno.Last));
        }
    }

    public void Dispose() => handle.Dispose();

    private int Fill(nuint requestNumber, ulong* request, int result, out int error)
    {
        error = Control(handle, requestNumber, request) == 0 ? 0 : Errno.Last;
        return (long)request[result] > 0 ? (int)request[result] : 0;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle descriptor, nuint request, ulong* argument);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle descriptor, byte* buffer, nuint length);
}
