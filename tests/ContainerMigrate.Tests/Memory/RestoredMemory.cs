using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>
/// Memory of this process that is restored lazily, and CRIU's part in it. The memory is only ever touched in calls to the C library: a
/// thread that waited for a page in managed code would stop the garbage collector, and with it the holder.
/// </summary>
internal sealed unsafe partial class RestoredMemory : IDisposable
{
    private const int ReadWrite = 3; // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS
    private const int MayMoveFixed = 3; // MREMAP_MAYMOVE | MREMAP_FIXED
    private const int DontNeed = 4; // MADV_DONTNEED
    private const int UserfaultNumber = 323; // userfaultfd(2) on x86-64
    private const nuint ApiRequest = 0xC018AA3F; // UFFDIO_API
    private const nuint RegisterRequest = 0xC020AA00; // UFFDIO_REGISTER
    private const ulong Events = 0x2 | 0x4 | 0x8 | 0x40; // FORK, REMAP, REMOVE, UNMAP: what CRIU asks for

    private readonly List<(nint Address, nuint Length)> _mappings = [];
    private DescriptorChannel? _criu;

    internal RestoredMemory(int pages)
    {
        Pages = pages;
        Address = Map(pages);
    }

    internal int Pages { get; }

    internal ulong Address { get; }

    internal PageRange Range(int page, int count) => new(AddressOf(page), (ulong)count);

    internal ulong AddressOf(int page) => Address + ((ulong)page << MemoryPage.Shift);

    /// <summary>Another mapping, which nobody has registered.</summary>
    internal ulong Map(int pages)
    {
        var address = mmap(0, (nuint)pages << MemoryPage.Shift, ReadWrite, PrivateAnonymous, -1, 0);
        address.ShouldNotBe(-1);
        _mappings.Add((address, (nuint)pages << MemoryPage.Shift));
        return (ulong)address;
    }

    /// <summary>Does what CRIU does up to the end of the restore.</summary>
    /// <param name="work">Where the server's socket is.</param>
    internal void Register(string work, int processId)
    {
        const int NonBlockingCloseOnExec = 0x80800;
        using var userfault = new SafeFileHandle((nint)syscall(UserfaultNumber, NonBlockingCloseOnExec), ownsHandle: true);
        var api = stackalloc ulong[3] { 0xAA, Events, 0 };
        if (userfault.IsInvalid || ioctl(userfault, ApiRequest, api) != 0)
        {
            Assert.Skip("userfaultfd with its events needs root (CAP_SYS_PTRACE)");
        }

        var register = stackalloc ulong[4] { Address, (ulong)Pages << MemoryPage.Shift, 1, 0 };
        ioctl(userfault, RegisterRequest, register).ShouldBe(0);
        _criu ??= DescriptorChannel.TryConnect(Path.Combine(work, "lazy-pages.socket"), DescriptorChannel.Stream).ShouldNotBeNull();
        Span<byte> pid = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(pid, processId);
        _criu.TrySend(pid, null).ShouldBeTrue();
        _criu.TrySend([0], userfault).ShouldBeTrue();
    }

    /// <summary>A process that had ended and not been waited for: it has no memory.</summary>
    internal void SendZombie(int processId)
    {
        Span<byte> pid = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(pid, -processId);
        _criu!.TrySend(pid, null).ShouldBeTrue();
    }

    internal void Finish() => _criu!.TrySend([0x46, 0x54, 0x53, 0x52], null).ShouldBeTrue();

    /// <summary>CRIU dies, or gives up.</summary>
    internal void Disconnect() => _criu!.Dispose();

    /// <summary>Whether a page has these bytes; waits for it like the process would.</summary>
    internal static bool HasContent(ulong address, ReadOnlySpan<byte> page)
    {
        fixed (byte* expected = page)
        {
            return memcmp((nint)address, expected, MemoryPage.Bytes) == 0;
        }
    }

    internal static void Fill(ulong address, byte value) => memset((nint)address, value, MemoryPage.Bytes);

    /// <summary>Moves pages, as mremap(2) does, to a mapping that is replaced.</summary>
    internal static void Move(PageRange from, ulong to) => mremap((nint)from.Address, (nuint)from.Bytes, (nuint)from.Bytes, MayMoveFixed, (nint)to).ShouldBe((nint)to);

    internal static void GiveBack(PageRange range) => madvise((nint)range.Address, (nuint)range.Bytes, DontNeed).ShouldBe(0);

    internal static void Unmap(PageRange range) => munmap((nint)range.Address, (nuint)range.Bytes).ShouldBe(0);

    public void Dispose()
    {
        _criu?.Dispose();
        foreach (var (address, length) in _mappings)
        {
            _ = munmap(address, length);
        }
    }

#pragma warning disable SA1300, IDE1006 // libc's own names
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mremap(nint address, nuint oldLength, nuint newLength, int flags, nint newAddress);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int madvise(nint address, nuint length, int advice);

    [LibraryImport("libc")]
    private static partial int memcmp(nint left, byte* right, nuint length);

    [LibraryImport("libc")]
    private static partial nint memset(nint address, int value, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, long first);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle descriptor, nuint request, ulong* argument);
#pragma warning restore SA1300, IDE1006
}
