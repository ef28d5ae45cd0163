using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Host;

/// <summary>Ways in which this kernel can say which pages a process has written.</summary>
/// <param name="WriteProtectAsync">userfaultfd with WP_ASYNC and PAGEMAP_SCAN (6.7 and newer): no process has to be stopped for it.</param>
/// <param name="SoftDirty">CONFIG_MEM_SOFT_DIRTY: all processes have to be stopped for a moment.</param>
/// <param name="Userfault">userfaultfd at all, which a lazy restore needs.</param>
internal sealed record MemoryTrackingMeans(bool WriteProtectAsync, bool SoftDirty, bool Userfault);

/// <summary>Tries them out on a page of this process.</summary>
internal static unsafe partial class MemoryTrackingProbe
{
    private const int PageBytes = 4096;
    private const ulong WriteProtectAsync = 1 << 15; // UFFD_FEATURE_WP_ASYNC
    private const ulong SoftDirtyBit = 1UL << 55; // Documentation/admin-guide/mm/pagemap.rst

    internal static MemoryTrackingMeans Read()
    {
        var page = (byte*)NativeMemory.AlignedAlloc(PageBytes, PageBytes);
        try
        {
            *page = 1;
            using var pagemap = File.OpenHandle("/proc/self/pagemap");
            var features = ReadUserfaultFeatures();
            return new MemoryTrackingMeans((features & WriteProtectAsync) != 0 && CanScan(pagemap, (ulong)page), IsSoftDirty(pagemap, (ulong)page), features is not null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new MemoryTrackingMeans(WriteProtectAsync: false, SoftDirty: false, Userfault: false);
        }
        finally
        {
            NativeMemory.AlignedFree(page);
        }
    }

    /// <returns>Null when this process may not have one.</returns>
    private static ulong? ReadUserfaultFeatures()
    {
        const int CloseOnExecUserModeOnly = 0x80000 | 1; // O_CLOEXEC | UFFD_USER_MODE_ONLY
        const ulong Handshake = 0xC018AA3F; // UFFDIO_API
        const ulong ApiVersion = 0xAA; // UFFD_API
        var number = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 323, // __NR_userfaultfd
            Architecture.Arm64 => 282,
            _ => -1,
        };
        using var descriptor = new SafeFileHandle((nint)Syscall(number, CloseOnExecUserModeOnly), ownsHandle: true);
        var api = stackalloc ulong[] { ApiVersion, 0, 0 }; // struct uffdio_api: api, features, ioctls
        return !descriptor.IsInvalid && Control(descriptor, Handshake, api) == 0 ? api[1] : null;
    }

    private static bool CanScan(SafeFileHandle pagemap, ulong page)
    {
        const ulong Scan = 0xC0606610; // PAGEMAP_SCAN
        const ulong Present = 1 << 3; // PAGE_IS_PRESENT
        const int ArgumentBytes = 96;
        var region = stackalloc ulong[3];
        // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask
        var argument = stackalloc ulong[] { ArgumentBytes, 0, page, page + PageBytes, 0, (ulong)region, 1, 0, 0, Present, 0, Present };
        return Control(pagemap, Scan, argument) == 1;
    }

    private static bool IsSoftDirty(SafeFileHandle pagemap, ulong page)
    {
        Span<byte> entry = stackalloc byte[sizeof(ulong)];
        return RandomAccess.Read(pagemap, entry, (long)(page / PageBytes * sizeof(ulong))) == entry.Length && (BitConverter.ToUInt64(entry) & SoftDirtyBit) != 0;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, long argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(SafeFileHandle descriptor, ulong request, ulong* argument);
}
