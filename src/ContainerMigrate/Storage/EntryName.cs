using System.Globalization;
using System.Text;

namespace ContainerMigrate.Storage;

/// <summary>Names of files are bytes without a character set; this is how people get to see them.</summary>
public static class EntryName
{
    private const int MaxShown = 200;

    /// <summary>Whether it names an entry of a directory, and nothing elsewhere.</summary>
    public static bool IsValid(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= TreeStreamFormat.MaxNameLength && !name.Contains((byte)'/') && !name.Contains((byte)0) && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8);

    /// <summary>Printable ASCII as it is, everything else as <c>\xNN</c>; a long name keeps its end.</summary>
    public static string Describe(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder();
        if (name.Length > MaxShown)
        {
            text.Append("...");
            name = name[^MaxShown..];
        }

        foreach (var value in name)
        {
            if (value is >= (byte)' ' and <= (byte)'~' and not (byte)'\\')
            {
                text.Append((char)value);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
            }
        }

        return text.ToString();
    }
}
