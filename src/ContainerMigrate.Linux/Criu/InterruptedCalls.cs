using System.Buffers.Binary;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// Lets system calls in which a program was frozen go on. poll(2) with any time limit cannot be begun anew by CRIU as the kernel does it (its
/// ERESTART_RESTARTBLOCK), and returns EINTR to a program that has had no signal (compel/src/lib/infect.c, get_task_regs); epoll_wait(2) and some others do so on any
/// stop (signal(7)). Programs that do not expect that end: Varnish's worker takes it for the end of its manager. They are called again, with the whole of their time.
/// </summary>
internal static class InterruptedCalls
{
    private const int HeaderBytes = 3 * sizeof(uint); // two magic numbers, and the length of the one message

    // core_entry, thread_info_x86 and user_x86_regs_entry, images/core.proto and core-x86.proto
    private const int ThreadInfo = 2, TaskCore = 3, ThreadCore = 5;
    private const int Registers = 2;
    private const int Ax = 11, OriginalAx = 16, InstructionPointer = 17, CodeSegment = 18;
    private const int SharedSignals = 10, OwnSignals = 9;

    private const ulong Code64 = 0x33;
    private const ulong SyscallBytes = 2; // 0f 05
    private const ulong Interrupted = unchecked((ulong)-4L);

    // arch/x86/entry/syscalls/syscall_64.tbl. Not nanosleep(2) and futex(2): those who use them expect EINTR, and would wait twice as long.
    private static readonly HashSet<ulong> Repeatable =
    [
        7, // poll
        43, 45, 47, 288, 299, // accept, recvfrom, recvmsg, accept4, recvmmsg, with SO_RCVTIMEO
        65, 220, // semop, semtimedop
        128, // rt_sigtimedwait
        208, // io_getevents
        232, 281, 441, // epoll_wait, epoll_pwait, epoll_pwait2
    ];

    /// <summary>All of a dump's tasks.</summary>
    /// <returns>How many were in such a call.</returns>
    /// <exception cref="InvalidDataException">An image is not of a known form.</exception>
    public static int Repeat(string imagesDirectory)
    {
        var calls = 0;
        foreach (var path in Directory.Exists(imagesDirectory) ? Directory.EnumerateFiles(imagesDirectory, "core-*.img") : [])
        {
            if (Repeat(File.ReadAllBytes(path)) is { } image)
            {
                File.WriteAllBytes(path, image);
                calls++;
            }
        }

        return calls;
    }

    /// <summary>The image with its call begun anew; null when there is none.</summary>
    /// <exception cref="InvalidDataException">It is no such image.</exception>
    internal static byte[]? Repeat(ReadOnlySpan<byte> image)
    {
        if (image.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(image[(HeaderBytes - sizeof(uint))..]) != image.Length - HeaderBytes)
        {
            throw new InvalidDataException("an image of a task is cut off");
        }

        var core = image[HeaderBytes..];
        if (HasPendingSignals(core) || ReplaceIn(core, ThreadInfo, thread => ReplaceIn(thread, Registers, RepeatCall)) is not { } repeated)
        {
            return null;
        }

        var result = new byte[HeaderBytes + repeated.Length];
        image[..HeaderBytes].CopyTo(result);
        BinaryPrimitives.WriteInt32LittleEndian(result.AsSpan(HeaderBytes - sizeof(uint)), repeated.Length);
        repeated.CopyTo(result, HeaderBytes);
        return result;
    }

    // Their handlers run first, and the call is to return after that.
    private static bool HasPendingSignals(ReadOnlySpan<byte> core)
    {
        for (var rest = core; ProtobufField.TryTake(ref rest, out var field);)
        {
            var signals = field.Number switch { TaskCore => SharedSignals, ThreadCore => OwnSignals, _ => 0 };
            for (var inner = signals > 0 ? field.Content : default; ProtobufField.TryTake(ref inner, out var part);)
            {
                if (part.Number == signals && !part.Content.IsEmpty)
                {
                    return true;
                }
            }
        }

        return false;
    }

    // Null: it was in no such call.
    private static byte[]? RepeatCall(ReadOnlySpan<byte> registers)
    {
        var numbers = new ulong[CodeSegment + 1];
        var result = new List<byte>(registers.Length);
        for (var rest = registers; ProtobufField.TryTake(ref rest, out var field);)
        {
            if (field.Number < numbers.Length)
            {
                numbers[field.Number] = field.Value;
            }

            if (field.Number is not (Ax or InstructionPointer))
            {
                result.AddRange(field.Encoded);
            }
        }

        if (numbers[CodeSegment] != Code64 || numbers[Ax] != Interrupted || !Repeatable.Contains(numbers[OriginalAx]))
        {
            return null;
        }

        ProtobufField.Write(result, Ax, numbers[OriginalAx]);
        ProtobufField.Write(result, InstructionPointer, numbers[InstructionPointer] - SyscallBytes);
        return [.. result];
    }

    private delegate byte[]? Replacement(ReadOnlySpan<byte> content);

    // Null: nothing was replaced.
    private static byte[]? ReplaceIn(ReadOnlySpan<byte> message, int number, Replacement replace)
    {
        var result = new List<byte>(message.Length);
        var isReplaced = false;
        for (var rest = message; ProtobufField.TryTake(ref rest, out var field);)
        {
            if (field.Number == number && replace(field.Content) is { } content)
            {
                ProtobufField.Write(result, number, content);
                isReplaced = true;
            }
            else
            {
                result.AddRange(field.Encoded);
            }
        }

        return isReplaced ? [.. result] : null;
    }
}
