namespace ContainerMigrate.Checks;

/// <summary>Sizes for people, in binary units.</summary>
public static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary><c>1.9 GiB</c>, <c>512 MiB</c>, <c>17 B</c>: three significant digits at most.</summary>
    public static string Format(long bytes)
    {
        double value = bytes;
        var unit = 0;
        // What rounds to 1024 is one of the next unit.
        while (Math.Abs(value) >= (unit == 0 ? 1024 : 1023.5) && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return unit == 0 || Math.Abs(value) >= 9.95 ? $"{value:0} {Units[unit]}" : $"{value:0.0} {Units[unit]}";
    }
}
