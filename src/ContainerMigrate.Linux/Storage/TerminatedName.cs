using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>One name (at most NAME_MAX bytes) with the zero that system calls want; lives on the stack.</summary>
[InlineArray(TreeStreamFormat.MaxNameLength + 1)]
[StructLayout(LayoutKind.Auto)]
internal struct TerminatedName
{
    private byte _first;

    public TerminatedName(ReadOnlySpan<byte> name) => name.CopyTo(this);

    /// <summary><c>/proc/self/fd/N</c>: what an O_PATH descriptor stands for, for calls that take only paths.</summary>
    public static TerminatedName OfDescriptor(int descriptor)
    {
        var name = new TerminatedName("/proc/self/fd/"u8);
        _ = descriptor.TryFormat(name["/proc/self/fd/"u8.Length..], out _);
        return name;
    }
}
