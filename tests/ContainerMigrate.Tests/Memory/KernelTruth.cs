using System.Globalization;
using System.Runtime.InteropServices;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Tests.Memory;

/// <summary>
/// What CRIU would dump of a process that stands still, by other means than the tracker's: <c>/proc/PID/pagemap</c> and <c>/proc/kpageflags</c>.
/// </summary>
internal static class KernelTruth
{
    private const ulong Present = 1UL << 63; // Documentation/admin-guide/mm/pagemap.rst
    private const ulong Swapped = 1UL << 62;
    private const ulong OfFile = 1UL << 61;
    private const ulong FrameMask = (1UL << 55) - 1;
    private const ulong ZeroPage = 1UL << 24; // KPF_ZERO_PAGE
    private static readonly string[] OfKernel = ["[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"];

    internal static bool HasMemory(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/maps").Length > 0;
        }
        catch (IOException)
        {
            return false;
        }
    }

    internal static IEnumerable<TruePage> PagesOf(int process)
    {
        using var pagemap = Open($"/proc/{process}/pagemap");
        using var memory = Open($"/proc/{process}/mem");
        using var flags = Open("/proc/kpageflags");
        foreach (var line in File.ReadAllLines($"/proc/{process}/maps"))
        {
            var fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
            var bounds = Array.ConvertAll(fields[0].Split('-'), text => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            var inode = ulong.Parse(fields[4], CultureInfo.InvariantCulture);
            var isPrivate = fields[1][3] == 'p';
            var isShared = !isPrivate && fields[3] == "00:01" && inode != 0;
            if ((fields.Length == 6 && OfKernel.Contains(fields[5])) || !(isPrivate || isShared))
            {
                continue;
            }

            var entries = new ulong[(bounds[1] - bounds[0]) / MemoryPage.Bytes];
            if (RandomAccess.Read(pagemap, MemoryMarshal.AsBytes(entries.AsSpan()), (long)(bounds[0] / MemoryPage.Bytes * sizeof(ulong))) == 0)
            {
                continue;
            }

            for (var i = 0; i < entries.Length; i++)
            {
                var address = bounds[0] + ((ulong)i * MemoryPage.Bytes);
                if ((entries[i] & (Present | Swapped)) == 0 || (isPrivate && (entries[i] & OfFile) != 0) || IsZeroPage(flags, entries[i]))
                {
                    continue;
                }

                var content = new byte[MemoryPage.Bytes];
                RandomAccess.Read(memory, content, (long)address);
                var offset = address - bounds[0] + ulong.Parse(fields[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                yield return new TruePage(address, content, line, isShared ? inode : null, offset);
            }
        }
    }

    private static bool IsZeroPage(Microsoft.Win32.SafeHandles.SafeFileHandle flags, ulong entry)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        return (entry & Present) != 0 && RandomAccess.Read(flags, bytes, (long)((entry & FrameMask) * sizeof(ulong))) == bytes.Length
            && (BitConverter.ToUInt64(bytes) & ZeroPage) != 0;
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle Open(string path) => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
}
