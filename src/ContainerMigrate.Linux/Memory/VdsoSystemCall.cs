using System.Globalization;
using ContainerMigrate.Linux.Host;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Finds a system call instruction in a process's vDSO (vdso(7)), which the kernel maps into every process.</summary>
internal static class VdsoSystemCall
{
    private const int MaxBytes = 64 * 1024;

    private static ReadOnlySpan<byte> Instruction => [0x0F, 0x05]; // x86-64: syscall

    /// <summary>Its address, or null.</summary>
    internal static ulong? Find(int processId, SafeFileHandle memory)
    {
        foreach (var line in ProcText.ReadOrEmpty($"/proc/{processId}/maps").AsSpan().EnumerateLines())
        {
            if (!line.EndsWith("[vdso]", StringComparison.Ordinal))
            {
                continue;
            }

            var dash = line.IndexOf('-');
            var start = ulong.Parse(line[..dash], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            var end = ulong.Parse(line[(dash + 1)..line.IndexOf(' ')], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            var image = new byte[Math.Min(end - start, MaxBytes)];
            try
            {
                var count = RandomAccess.Read(memory, image, (long)start);
                var offset = image.AsSpan(0, count).IndexOf(Instruction);
                return offset < 0 ? null : start + (ulong)offset;
            }
            catch (IOException)
            {
                return null;
            }
        }

        return null;
    }
}
