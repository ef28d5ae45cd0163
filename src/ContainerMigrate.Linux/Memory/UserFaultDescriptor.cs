using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>
/// A process's userfaultfd (Documentation/admin-guide/mm/userfaultfd.rst) with asynchronous write protection: a write to a protected page is noted by the
/// kernel and goes on. Closing it lifts every protection.
/// </summary>
internal sealed unsafe class UserFaultDescriptor : IDisposable
{
    private const ulong Handshake = 0xC018AA3F; // UFFDIO_API
    private const ulong RegisterRange = 0xC020AA00; // UFFDIO_REGISTER
    private const ulong UnregisterRange = 0x8010AA01; // UFFDIO_UNREGISTER
    private const ulong WriteProtectRange = 0xC018AA06; // UFFDIO_WRITEPROTECT
    private const ulong ApiVersion = 0xAA; // UFFD_API
    private const ulong Features = (1 << 15) | (1 << 13); // UFFD_FEATURE_WP_ASYNC, UFFD_FEATURE_WP_UNPOPULATED
    private const ulong WriteProtectMode = 2; // UFFDIO_REGISTER_MODE_WP

    // Lifting the protection keeps every page fault of the program waiting: 15 ms for each GiB at once, half a millisecond for so much.
    private const ulong LiftBytes = 32UL << 20;

    private readonly SafeFileHandle _handle;

    private UserFaultDescriptor(SafeFileHandle handle) => _handle = handle;

    /// <summary>Takes ownership. Null, with <paramref name="handle"/> closed and errno left, when the kernel lacks what is needed.</summary>
    internal static UserFaultDescriptor? Create(SafeFileHandle handle)
    {
        var api = stackalloc ulong[] { ApiVersion, Features, 0 }; // struct uffdio_api: api, features, ioctls
        if (Libc.Control(handle, Handshake, api) == 0)
        {
            return new UserFaultDescriptor(handle);
        }

        handle.Dispose();
        return null;
    }

    /// <summary>
    /// Lets writes there be noted. False when it is not possible: another userfaultfd has it, it may never be written, or it is gone.
    /// </summary>
    internal bool Register(AddressRange range)
    {
        var argument = stackalloc ulong[] { range.Start, range.Bytes, WriteProtectMode, 0 }; // struct uffdio_register: start, len, mode, ioctls
        return Libc.Control(_handle, RegisterRange, argument) == 0;
    }

    /// <summary>Lifts the protection of pages in registered mappings; false when not all of it is registered.</summary>
    internal bool Unprotect(AddressRange range)
    {
        var argument = stackalloc ulong[] { range.Start, range.Bytes, 0 }; // struct uffdio_writeprotect: start, len, mode
        return Libc.Control(_handle, WriteProtectRange, argument) == 0;
    }

    /// <summary>Gives mappings back in pieces, so that a running program does not feel it; without it <see cref="Dispose"/> does it all at once.</summary>
    internal void Unregister(AddressRange range)
    {
        var argument = stackalloc ulong[2]; // struct uffdio_range: start, len
        for (argument[0] = range.Start; argument[0] < range.End; argument[0] += LiftBytes)
        {
            argument[1] = Math.Min(LiftBytes, range.End - argument[0]);
            if (Libc.Control(_handle, UnregisterRange, argument) != 0)
            {
                return; // gone, or changed meanwhile: closing finds the rest
            }
        }
    }

    public void Dispose() => _handle.Dispose();
}
