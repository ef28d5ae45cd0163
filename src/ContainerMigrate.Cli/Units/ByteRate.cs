namespace ContainerMigrate.Cli.Units;

/// <summary>Transfer rates as people read them: in decimal units, as is usual for networks.</summary>
internal static class ByteRate
{
    private static readonly string[] Units = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];

    /// <summary><c>512 B/s</c>, <c>1.5 MB/s</c>, <c>910 MB/s</c>.</summary>
    public static string Format(double bytesPerSecond)
    {
        var value = Math.Max(bytesPerSecond, 0);
        var unit = 0;
        // 999.5 and not 1000: it would be printed with four digits.
        while (value >= 999.5 && unit < Units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return unit == 0 || value >= 9.95
            ? FormattableString.Invariant($"{value:0} {Units[unit]}")
            : FormattableString.Invariant($"{value:0.0} {Units[unit]}");
    }
}
