using System.Globalization;
using ContainerMigrate.Memory;

namespace ContainerMigrate.Linux.Criu.Metadata;

/// <summary>Mappings that are locked in memory (mlock(2)), by <c>/proc/PID/smaps</c> (proc_pid_smaps(5)).</summary>
internal static class LockedMemory
{
    internal static PageSet Read(string smaps) => Parse(File.ReadLines(smaps));

    internal static PageSet Parse(IEnumerable<string> lines)
    {
        var locked = new PageSet();
        AddressRange? mapping = null;
        foreach (var line in lines)
        {
            if (line.StartsWith("VmFlags:", StringComparison.Ordinal))
            {
                if (mapping is { } range && line.Split(' ').Contains("lo"))
                {
                    locked.Add(range);
                }
            }
            else if (char.IsAsciiHexDigitLower(line[0]))
            {
                var dash = line.IndexOf('-', StringComparison.Ordinal);
                var end = line.IndexOf(' ', StringComparison.Ordinal);
                mapping = new AddressRange(ParseAddress(line.AsSpan(0, dash)), ParseAddress(line.AsSpan(dash + 1, end - dash - 1)));
            }
        }

        return locked;
    }

    private static ulong ParseAddress(ReadOnlySpan<char> text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
