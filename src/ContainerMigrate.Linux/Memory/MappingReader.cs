using System.Buffers;
using System.Buffers.Text;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Reads <c>/proc/PID/maps</c> (proc_pid_maps(5)) without a string for each line: a large program has tens of thousands.</summary>
internal static class MappingReader
{
    private const int BufferBytes = 64 * 1024;

    private static readonly Lazy<(uint Major, uint Minor)> SharedDevice = new(ReadSharedDevice);

    /// <summary>
    /// Replaces the content of <paramref name="mappings"/>; it stays empty when the address space is gone. Not one instant's view: a running program changes
    /// its mappings between two pieces that are read.
    /// </summary>
    /// <param name="maps">Opened while the program was the one to look at: later reads go to the same address space, whatever has replaced it.</param>
    /// <param name="mappings">Ascending.</param>
    internal static void Read(SafeFileHandle maps, List<Mapping> mappings)
    {
        mappings.Clear();
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var held = 0;
            long position = 0;
            while (true)
            {
                var count = RandomAccess.Read(maps, buffer.AsSpan(held), position);
                if (count == 0)
                {
                    return;
                }

                position += count;
                held += count;
                var rest = buffer.AsSpan(0, held);
                for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
                {
                    mappings.Add(Parse(rest[..end]));
                }

                // A path may have 4096 bytes, each written as four: less than the buffer.
                rest.CopyTo(buffer);
                held = rest.Length;
            }
        }
        catch (IOException)
        {
            mappings.Clear(); // ESRCH: gone
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary><c>7f01-7f02 rw-p 00000000 00:01 1024   /dev/zero (deleted)</c>.</summary>
    internal static Mapping Parse(ReadOnlySpan<byte> line)
    {
        var start = TakeHexadecimal(ref line);
        var end = TakeHexadecimal(ref line);
        var isWritable = line[1] == 'w';
        var isPrivate = line[3] == 'p';
        line = line[5..];
        var offset = TakeHexadecimal(ref line);
        var major = (uint)TakeHexadecimal(ref line);
        var minor = (uint)TakeHexadecimal(ref line);
        _ = Utf8Parser.TryParse(line, out ulong inode, out var length);
        var name = line[length..].TrimStart((byte)' ');
        var kind = Classify(isPrivate, inode, (major, minor), name);
        return new Mapping(new AddressRange(start, end), kind, isWritable, offset, inode, kind == MappingKind.Shared && name.StartsWith("/"u8) && !name.StartsWith("/dev/zero"u8));
    }

    private static MappingKind Classify(bool isPrivate, ulong inode, (uint Major, uint Minor) device, ReadOnlySpan<byte> name)
    {
        if (!isPrivate)
        {
            return inode != 0 && device == SharedDevice.Value ? MappingKind.Shared : MappingKind.Other;
        }

        if (inode == 0)
        {
            // What the kernel maps by itself has names of its own: [vdso], [vvar], [vvar_vclock], [vsyscall], [uprobes], ...
            var isProgram = name.IsEmpty || name.StartsWith("[anon"u8) || name.SequenceEqual("[heap]"u8) || name.StartsWith("[stack"u8);
            return isProgram ? MappingKind.Anonymous : MappingKind.Other;
        }

        return name.SequenceEqual("/dev/zero"u8) ? MappingKind.Anonymous : MappingKind.PrivateFile;
    }

    /// <summary>Takes the number and the character behind it.</summary>
    private static ulong TakeHexadecimal(ref ReadOnlySpan<byte> line)
    {
        _ = Utf8Parser.TryParse(line, out ulong value, out var length, 'x');
        line = line[(length + 1)..];
        return value;
    }

    /// <summary>The number of the kernel's internal tmpfs: a memfd lives there.</summary>
    private static (uint Major, uint Minor) ReadSharedDevice()
    {
        const uint CloseOnExec = 1; // MFD_CLOEXEC
        using var file = new SafeFileHandle(Libc.CreateMemoryFile("ctmigrate", CloseOnExec), ownsHandle: true);
        return file.IsInvalid
            ? throw Errno.Exception("memfd_create", Errno.Last)
            : FileIdentity.Read($"/proc/self/fd/{file.DangerousGetHandle()}")?.Device ?? throw new IOException("a memfd has no device");
    }
}
