using System.Globalization;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Cgroups;

/// <inheritdoc cref="ICpuLimiter"/>
public sealed class CgroupCpu : ICpuLimiter
{
    private const string Stage = "pre-copy";
    private const string Limit = "cpu.max";
    private const string Usage = "usage_usec ";

    /// <inheritdoc/>
    public string? FindObstacle(string cgroupDirectory) => File.Exists(Path.Combine(CgroupPath.Check(cgroupDirectory), Limit))
        ? null
        : $"{cgroupDirectory} has no {Limit}: the cpu controller is not in the cgroup v2 tree there (cgroup v1 has it, or nobody has enabled it)";

    /// <inheritdoc/>
    public CpuLimit Read(string cgroupDirectory)
    {
        var text = Read(cgroupDirectory, Limit);
        return CpuLimit.TryParse(text, out var limit) ? limit : throw new MigrationException(Stage, $"{cgroupDirectory}/{Limit} reads '{text.Trim()}'");
    }

    /// <inheritdoc/>
    public void Apply(string cgroupDirectory, CpuLimit limit)
    {
        try
        {
            File.WriteAllText(Path.Combine(CgroupPath.Check(cgroupDirectory), Limit), limit.ToString());
        }
        catch (IOException exception) when (exception is FileNotFoundException or DirectoryNotFoundException || exception.HResult == Errno.NoDevice)
        {
            // The container has ended.
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new MigrationException(Stage, $"{cgroupDirectory}/{Limit}: {exception.Message}", innerException: exception);
        }
    }

    /// <inheritdoc/>
    public TimeSpan ReadUsage(string cgroupDirectory)
    {
        // There without the cpu controller too.
        var line = Read(cgroupDirectory, "cpu.stat").Split('\n').FirstOrDefault(l => l.StartsWith(Usage, StringComparison.Ordinal));
        return long.TryParse(line?[Usage.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds)
            ? TimeSpan.FromMicroseconds(microseconds)
            : throw new MigrationException(Stage, $"{cgroupDirectory}/cpu.stat has no usage");
    }

    private static string Read(string cgroupDirectory, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(CgroupPath.Check(cgroupDirectory), file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new MigrationException(Stage, $"{cgroupDirectory}/{file}: {exception.Message}", innerException: exception);
        }
    }
}
