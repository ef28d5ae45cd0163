using System.Runtime.Intrinsics.X86;

namespace ContainerMigrate.Linux.Host;

/// <summary>What programs may have found out about the CPU and rely on.</summary>
internal static class CpuFacts
{
    /// <summary>Flags of the first processor in <c>/proc/cpuinfo</c>, sorted (x86: flags, arm64: Features).</summary>
    internal static IReadOnlyList<string> ParseFlags(string cpuInformation) =>
    [
        .. (ProcText.FindField(cpuInformation, "flags") ?? ProcText.FindField(cpuInformation, "Features") ?? "")
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Size in bytes of what XSAVE writes with the features that are switched on (CPUID leaf 0xD, EBX); 0 on other processors.</summary>
    internal static int ReadXsaveBytes() =>
        X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 0xD ? X86Base.CpuId(0xD, 0).Ebx : 0;
}
