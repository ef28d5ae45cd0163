using System.Buffers.Binary;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// Keeps periodic timer descriptors ticking. The kernel begins the next period of a timerfd only when the last expiry is read
/// (fs/timerfd.c, timerfd_read_iter). One whose expiry waits to be read, as any does that expires between the freeze and the dump,
/// is therefore dumped with no time left, and CRIU 4.2 restores that as a timer that is not armed (restorer.c, timerfd_arm).
/// </summary>
internal static class PeriodicTimers
{
    private const string FileName = "files.img";
    private const int HeaderBytes = 2 * sizeof(uint); // two magic numbers; then u32 length and message, again and again
    private const int TimerField = 12; // tfd of file_entry, images/fdinfo.proto

    // timerfd_entry, images/timerfd.proto
    private const int ValueSeconds = 7;
    private const int ValueNanoseconds = 8;
    private const int IntervalSeconds = 9;
    private const int IntervalNanoseconds = 10;

    /// <summary>Gives each such timer in a dump one period until it expires again.</summary>
    /// <returns>How many there were.</returns>
    public static int Arm(string imagesDirectory)
    {
        var path = Path.Combine(imagesDirectory, FileName);
        if (!File.Exists(path))
        {
            return 0;
        }

        var (image, timers) = Arm(File.ReadAllBytes(path));
        if (timers > 0)
        {
            File.WriteAllBytes(path, image);
        }

        return timers;
    }

    /// <summary>The image with its timers armed, and how many were not.</summary>
    /// <exception cref="InvalidDataException">It is no such image.</exception>
    internal static (byte[] Image, int Timers) Arm(ReadOnlySpan<byte> image)
    {
        if (image.Length < HeaderBytes)
        {
            throw new InvalidDataException($"{FileName} is cut off");
        }

        var result = new List<byte>(image.Length);
        result.AddRange(image[..HeaderBytes]);
        var timers = 0;
        Span<byte> size = stackalloc byte[sizeof(uint)];
        for (var rest = image[HeaderBytes..]; !rest.IsEmpty;)
        {
            if (rest.Length < sizeof(uint) || BinaryPrimitives.ReadUInt32LittleEndian(rest) is var length && length > rest.Length - sizeof(uint))
            {
                throw new InvalidDataException($"{FileName} is cut off");
            }

            var entry = ArmEntry(rest.Slice(sizeof(uint), (int)length), ref timers);
            BinaryPrimitives.WriteInt32LittleEndian(size, entry.Length);
            result.AddRange(size);
            result.AddRange(entry);
            rest = rest[(sizeof(uint) + (int)length)..];
        }

        return ([.. result], timers);
    }

    private static ReadOnlySpan<byte> ArmEntry(ReadOnlySpan<byte> entry, ref int timers)
    {
        var before = timers;
        var result = new List<byte>(entry.Length);
        var rest = entry;
        while (ProtobufField.TryTake(ref rest, out var field))
        {
            if (field.Number == TimerField && ArmTimer(field.Content) is { } timer)
            {
                ProtobufField.Write(result, TimerField, timer);
                timers++;
            }
            else
            {
                result.AddRange(field.Encoded);
            }
        }

        return timers == before ? entry : result.ToArray();
    }

    // Null: it is armed, or never expires again.
    private static byte[]? ArmTimer(ReadOnlySpan<byte> timer)
    {
        var numbers = new ulong[IntervalNanoseconds + 1];
        var result = new List<byte>(timer.Length);
        var rest = timer;
        while (ProtobufField.TryTake(ref rest, out var field))
        {
            if (field.Number < numbers.Length)
            {
                numbers[field.Number] = field.Value;
            }

            if (field.Number is not (ValueSeconds or ValueNanoseconds))
            {
                result.AddRange(field.Encoded);
            }
        }

        if (numbers[ValueSeconds] + numbers[ValueNanoseconds] > 0 || numbers[IntervalSeconds] + numbers[IntervalNanoseconds] == 0)
        {
            return null;
        }

        ProtobufField.Write(result, ValueSeconds, numbers[IntervalSeconds]);
        ProtobufField.Write(result, ValueNanoseconds, numbers[IntervalNanoseconds]);
        return [.. result];
    }
}
