using System.Runtime.InteropServices;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// Reads and writes extended attributes as raw bytes. What only has an O_PATH descriptor (symlinks, nodes) is reached
/// through /proc/self/fd, whose links lead to the very inode, a symlink included. Not for several threads: it keeps its buffers.
/// </summary>
internal sealed unsafe class ExtendedAttributes
{
    // XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h.
    private readonly byte[] _list = GC.AllocateUninitializedArray<byte>(65536);
    private readonly byte[] _value = GC.AllocateUninitializedArray<byte>(65536);

    public delegate void Visitor(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value);

    /// <summary>Hands every attribute to <paramref name="visit"/>; none where the file system knows none.</summary>
    /// <param name="descriptor">Of the entry.</param>
    /// <param name="isPathOnly">True for an O_PATH descriptor.</param>
    /// <exception cref="IOException">They cannot be read.</exception>
    public void Read(int descriptor, bool isPathOnly, Visitor visit)
    {
        var path = isPathOnly ? TerminatedName.OfDescriptor(descriptor) : default;
        fixed (byte* list = _list, value = _value)
        {
            var length = isPathOnly
                ? FileCalls.ListAttributes((byte*)&path, list, (nuint)_list.Length)
                : FileCalls.ListAttributes(descriptor, list, (nuint)_list.Length);
            if (length < 0)
            {
                if (Marshal.GetLastPInvokeError() == ErrorCode.NotSupported)
                {
                    return;
                }

                throw FileError.Last("list", "extended attributes");
            }

            for (var start = 0; start < length;)
            {
                var name = _list.AsSpan(start, (int)length - start);
                name = name[..name.IndexOf((byte)0)];
                var valueLength = isPathOnly
                    ? FileCalls.GetAttribute((byte*)&path, list + start, value, (nuint)_value.Length)
                    : FileCalls.GetAttribute(descriptor, list + start, value, (nuint)_value.Length);
                start += name.Length + 1;
                if (valueLength >= 0)
                {
                    visit(name, _value.AsSpan(0, (int)valueLength));
                }
                else if (ExtendedAttributePolicy.Travels(name) && Marshal.GetLastPInvokeError() is not (ErrorCode.NoData or ErrorCode.NotSupported))
                {
                    throw FileError.Last("read extended attribute", EntryName.Describe(name));
                }
            }
        }
    }

    /// <summary>Sets one attribute.</summary>
    /// <param name="mayReplace">False: an attribute of this name is an error (EEXIST).</param>
    /// <returns>0 or errno.</returns>
    public static int TrySet(int descriptor, bool isPathOnly, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool mayReplace)
    {
        var path = isPathOnly ? TerminatedName.OfDescriptor(descriptor) : default;
        var key = new TerminatedName(name);
        var flags = mayReplace ? 0 : FileCalls.AttributeCreate;
        fixed (byte* bytes = value)
        {
            var result = isPathOnly
                ? FileCalls.SetAttribute((byte*)&path, (byte*)&key, bytes, (nuint)value.Length, flags)
                : FileCalls.SetAttribute(descriptor, (byte*)&key, bytes, (nuint)value.Length, flags);
            return result == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Takes away all that a sender would send, before it comes anew.</summary>
    /// <param name="descriptor">Open for more than its path.</param>
    /// <param name="withOverlay">False leaves overlay's own.</param>
    /// <exception cref="IOException">They cannot be read or removed.</exception>
    public static void RemoveTravelling(int descriptor, bool withOverlay)
    {
        const int MaxListLength = 65536; // XATTR_LIST_MAX
        nint length;
        var probe = (byte)0;
        if ((length = FileCalls.ListAttributes(descriptor, &probe, 0)) == 0)
        {
            return;
        }

        var names = new byte[MaxListLength];
        fixed (byte* list = names)
        {
            length = length < 0 ? length : FileCalls.ListAttributes(descriptor, list, MaxListLength);
            if (length < 0)
            {
                if (Marshal.GetLastPInvokeError() == ErrorCode.NotSupported)
                {
                    return;
                }

                throw FileError.Last("list", "extended attributes");
            }

            for (var start = 0; start < length;)
            {
                var name = names.AsSpan(start, (int)length - start);
                name = name[..name.IndexOf((byte)0)];
                if (ExtendedAttributePolicy.Travels(name) && (withOverlay || !name.StartsWith("trusted.overlay."u8))
                    && FileCalls.RemoveAttribute(descriptor, list + start) != 0 && Marshal.GetLastPInvokeError() is not (ErrorCode.NoData or ErrorCode.NotSupported))
                {
                    throw FileError.Last("remove extended attribute", EntryName.Describe(name));
                }

                start += name.Length + 1;
            }
        }
    }

    /// <summary>Takes away the ACLs that a directory may have got from its parent; those of the source come with the stream.</summary>
    public static void RemoveInheritedAcls(int directory)
    {
        foreach (var name in (ReadOnlySpan<byte[]>)["system.posix_acl_access"u8.ToArray(), "system.posix_acl_default"u8.ToArray()])
        {
            var key = new TerminatedName(name);
            _ = FileCalls.RemoveAttribute(directory, (byte*)&key); // ENODATA and EOPNOTSUPP are what it is there for.
        }
    }
}
