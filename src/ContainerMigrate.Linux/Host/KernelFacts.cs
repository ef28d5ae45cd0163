using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Host;

/// <summary>What the kernel of this host says about itself.</summary>
internal static class KernelFacts
{
    /// <summary><c>uname -m</c></summary>
    internal static string Architecture => RuntimeInformation.OSArchitecture switch
    {
        System.Runtime.InteropServices.Architecture.X64 => "x86_64",
        System.Runtime.InteropServices.Architecture.Arm64 => "aarch64",
        var other => other.ToString().ToLowerInvariant(),
    };

    /// <summary>CRIU keeps monotonic clocks with them; without, they jump.</summary>
    internal static bool HasTimeNamespaces => File.Exists("/proc/self/ns/time");

    /// <summary><c>uname -r</c></summary>
    internal static string ReadRelease() => ProcText.ReadOrEmpty("/proc/sys/kernel/osrelease").Trim();

    /// <summary><c>apparmor</c>, <c>selinux</c> or empty: the module that may confine containers.</summary>
    internal static string ReadSecurityModule() =>
        ProcText.ReadOrEmpty("/sys/module/apparmor/parameters/enabled").StartsWith('Y') ? "apparmor"
        : File.Exists("/sys/fs/selinux/enforce") ? "selinux"
        : "";
}
