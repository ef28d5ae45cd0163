using ContainerMigrate.Containers;
using ContainerMigrate.Host;

namespace ContainerMigrate.Checks;

/// <summary>Findings that follow from comparing the facts of two hosts.</summary>
public static class HostComparison
{
    /// <summary>Free memory that has to stay beside the container's own.</summary>
    public const long SpareMemoryBytes = 256L << 20;

    /// <summary>Free disk that has to stay beside what is brought.</summary>
    public const long SpareDiskBytes = 512L << 20;

    /// <summary>Free disk that has to stay where a volume goes.</summary>
    public const long SpareVolumeBytes = 16L << 20;

    private static readonly System.Buffers.SearchValues<char> VersionCharacters = System.Buffers.SearchValues.Create("0123456789.");

    /// <summary>Clock difference that programs will notice, in seconds.</summary>
    private const double ClockToleranceSeconds = 2;

    /// <summary>Names of the checks that <see cref="Compare"/> makes.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [CheckNames.Criu, CheckNames.Kernel, CheckNames.Cpu, CheckNames.Memory, CheckNames.Disk, CheckNames.Clock];

    /// <summary>All findings about the pair; <paramref name="imageBytes"/> are those the destination lacks.</summary>
    public static IEnumerable<CheckFinding> Compare(HostFacts source, HostFacts destination, ContainerManifest manifest, long imageBytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(manifest);
        return [.. Criu(source), .. Criu(destination), .. CriuVersions(source, destination), .. Kernels(source, destination), .. Cpus(source, destination),
            .. Memory(destination, manifest), .. Disk(source, destination, manifest, imageBytes), .. Clocks(source, destination)];
    }

    private static IEnumerable<CheckFinding> Criu(HostFacts host)
    {
        if (host.CriuVersion.Length == 0)
        {
            yield return Error(CheckNames.Criu, host, host.CriuProblem.Length == 0 ? "CRIU is not installed" : $"CRIU does not run: {host.CriuProblem}", "apt install criu, then `ctmigrate doctor`");
        }
        else if (host.CriuProblem.Length > 0)
        {
            yield return Error(CheckNames.Criu, host, $"CRIU {host.CriuVersion} does not work on kernel {host.KernelRelease}: {host.CriuProblem}", "`ctmigrate doctor` on that host says more");
        }
    }

    private static IEnumerable<CheckFinding> CriuVersions(HostFacts source, HostFacts destination)
    {
        if (destination.CriuProblem.Length == 0 && Version.TryParse(source.CriuVersion, out var from) && Version.TryParse(destination.CriuVersion, out var to) && to < from)
        {
            // 4.2 writes page counts where 4.1 does not look: an older CRIU reads nothing and says nothing.
            yield return Error(CheckNames.Criu, destination, $"CRIU {to} is older than {source.HostName}'s {from}; images can only be read by the same version or a newer one", $"install CRIU {from} or newer on {destination.HostName}");
        }
    }

    private static IEnumerable<CheckFinding> Kernels(HostFacts source, HostFacts destination)
    {
        if (source.Architecture != destination.Architecture)
        {
            yield return Error(CheckNames.Kernel, destination, $"its processor architecture is {destination.Architecture}, {source.HostName}'s is {source.Architecture}", null);
        }
        else if (MajorMinor(source.KernelRelease) is { } from && MajorMinor(destination.KernelRelease) is { } to && to < from)
        {
            yield return new CheckFinding(CheckNames.Kernel, CheckSeverity.Warning, destination.HostName,
                $"its kernel {destination.KernelRelease} is older than {source.HostName}'s {source.KernelRelease}: what the container uses of the newer one is missing there");
        }
    }

    private static IEnumerable<CheckFinding> Cpus(HostFacts source, HostFacts destination)
    {
        var missing = source.CpuFlags.Except(destination.CpuFlags, StringComparer.Ordinal).ToList();
        if (missing.Count > 0)
        {
            yield return Error(CheckNames.Cpu, destination, $"its CPU lacks {string.Join(", ", missing.Take(12))}{(missing.Count > 12 ? ", ..." : "")}: a program that has seen them would crash (SIGILL)", "move to a host with the same CPU or a newer one, or --skip cpu if the program does not use them");
        }

        if (source.XsaveBytes > 0 && destination.XsaveBytes > 0 && source.XsaveBytes > destination.XsaveBytes)
        {
            yield return Error(CheckNames.Cpu, destination, $"its XSAVE area has {destination.XsaveBytes} bytes, {source.HostName}'s {source.XsaveBytes}: register state cannot be put back", null);
        }
    }

    private static IEnumerable<CheckFinding> Memory(HostFacts destination, ContainerManifest manifest)
    {
        if (destination.AvailableMemoryBytes < manifest.MemoryBytes + SpareMemoryBytes)
        {
            yield return Error(CheckNames.Memory, destination,
                $"not enough memory: {ByteSize.Format(destination.AvailableMemoryBytes)} available, the container has {ByteSize.Format(manifest.MemoryBytes)} and {ByteSize.Format(SpareMemoryBytes)} stay free", "free memory there or choose another host");
        }
    }

    private static IEnumerable<CheckFinding> Disk(HostFacts source, HostFacts destination, ContainerManifest manifest, long imageBytes)
    {
        // The checkpoint's images exist once on each host for the length of the switchover.
        var files = manifest.WritableLayerBytes + manifest.GetCopiedMounts().Where(m => m.Kind == "volume").Sum(m => m.Bytes);
        var needed = manifest.MemoryBytes + files + imageBytes + SpareDiskBytes;
        if (destination.FreeDiskBytes < needed)
        {
            yield return Error(CheckNames.Disk, destination,
                $"not enough disk: {ByteSize.Format(destination.FreeDiskBytes)} free, {ByteSize.Format(needed)} needed (memory {ByteSize.Format(manifest.MemoryBytes)}, files {ByteSize.Format(files)}, image {ByteSize.Format(imageBytes)}, spare {ByteSize.Format(SpareDiskBytes)})", "free disk there or choose another host");
        }

        if (source.FreeDiskBytes < manifest.MemoryBytes + SpareDiskBytes)
        {
            yield return Error(CheckNames.Disk, source,
                $"not enough disk for the checkpoint: {ByteSize.Format(source.FreeDiskBytes)} free, {ByteSize.Format(manifest.MemoryBytes + SpareDiskBytes)} needed", "free disk here");
        }
    }

    private static IEnumerable<CheckFinding> Clocks(HostFacts source, HostFacts destination)
    {
        var seconds = (destination.Clock - source.Clock).TotalSeconds;
        if (Math.Abs(seconds) > ClockToleranceSeconds)
        {
            yield return new CheckFinding(CheckNames.Clock, CheckSeverity.Warning, destination.HostName,
                $"its clock is {Math.Abs(seconds):0.0} s {(seconds > 0 ? "ahead of" : "behind")} {source.HostName}'s: programs in the container will see the time jump", "synchronise both hosts (chrony, systemd-timesyncd)");
        }
    }

    private static Version? MajorMinor(string release)
    {
        var end = release.AsSpan().IndexOfAnyExcept(VersionCharacters);
        return Version.TryParse((end < 0 ? release : release[..end]).Trim('.'), out var version) ? new Version(version.Major, version.Minor) : null;
    }

    private static CheckFinding Error(string check, HostFacts host, string message, string? hint) =>
        new(check, CheckSeverity.Error, host.HostName, message, hint);
}
