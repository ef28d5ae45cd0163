using System.Security.Cryptography;
using System.Text.Json;

namespace ContainerMigrate.Journal;

/// <summary>
/// A record is one line: the first sixteen hexadecimal digits of SHA-256 over the JSON that follows after a space. A line without its newline
/// is a torn write and is cut; a damaged line before the end is reported and never guessed at.
/// </summary>
public static class JournalCodec
{
    private const int ChecksumLength = 16;

    /// <summary>Longest record. A manifest has 4 MiB at most on the wire, and JSON's escapes make six bytes of one.</summary>
    public const int MaxRecordBytes = 32 << 20;

    /// <exception cref="IOException">It is longer than what would be read back.</exception>
    public static byte[] Encode(JournalRecord record)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(record, JournalJson.Default.JournalRecord);
        if (ChecksumLength + 1 + json.Length > MaxRecordBytes)
        {
            throw new IOException($"a journal record of {json.Length} bytes is too long");
        }

        var line = new byte[ChecksumLength + 1 + json.Length + 1];
        WriteChecksum(json, line);
        line[ChecksumLength] = (byte)' ';
        json.CopyTo(line, ChecksumLength + 1);
        line[^1] = (byte)'\n';
        return line;
    }

    /// <summary>Reads all whole records.</summary>
    /// <param name="content">The whole file.</param>
    /// <param name="validBytes">Length of the part that holds whole records; what follows is a torn tail and can be cut.</param>
    /// <exception cref="JournalDamagedException">A record other than a torn last one is damaged.</exception>
    public static IReadOnlyList<JournalRecord> Decode(ReadOnlySpan<byte> content, out int validBytes)
    {
        var records = new List<JournalRecord>();
        validBytes = 0;
        while (validBytes < content.Length)
        {
            var rest = content[validBytes..];
            var length = rest.IndexOf((byte)'\n');
            if (length < 0)
            {
                return records; // torn: the newline is the last byte of every write
            }

            records.Add(DecodeLine(rest[..length], records.Count + 1));
            validBytes += length + 1;
        }

        return records;
    }

    private static JournalRecord DecodeLine(ReadOnlySpan<byte> line, int sequence)
    {
        if (line.Length is <= ChecksumLength + 1 or > MaxRecordBytes)
        {
            throw new JournalDamagedException(sequence, $"it has {line.Length} bytes");
        }

        Span<byte> expected = stackalloc byte[ChecksumLength + 1];
        expected[ChecksumLength] = (byte)' ';
        WriteChecksum(line[(ChecksumLength + 1)..], expected);
        if (!line.StartsWith(expected))
        {
            throw new JournalDamagedException(sequence, "its checksum does not match");
        }

        JournalRecord record;
        try
        {
            record = JsonSerializer.Deserialize(line[(ChecksumLength + 1)..], JournalJson.Default.JournalRecord)
                     ?? throw new JournalDamagedException(sequence, "it is null");
        }
        catch (JsonException e)
        {
            throw new JournalDamagedException(sequence, e.Message);
        }

        return record.Sequence == sequence
            ? record
            : throw new JournalDamagedException(sequence, $"it carries number {record.Sequence}");
    }

    private static void WriteChecksum(ReadOnlySpan<byte> json, Span<byte> line)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(json, hash);
        Convert.TryToHexStringLower(hash[..(ChecksumLength / 2)], line, out _);
    }
}
