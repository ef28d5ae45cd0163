using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Journal;
using ContainerMigrate.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Journal;

public sealed class JournalCodecTests
{
    private static readonly JournalRecord[] Records =
    [
        Record(1, MigrationPhase.New, new JsonObject { [JournalKeys.Role] = "Source" }),
        Record(2, MigrationPhase.Planned, new JsonObject { [JournalKeys.ContainerName] = "wéb\n\"<>", [JournalKeys.InitPid] = 42 }),
        Record(3, MigrationPhase.PreCopy, null),
    ];

    private static readonly byte[] Content = [.. Records.SelectMany(JournalCodec.Encode)];

    [Fact]
    public void ReadsWhatItWrote()
    {
        var records = JournalCodec.Decode(Content, out var validBytes);

        validBytes.ShouldBe(Content.Length);
        ShouldBeFirst(records, 3);
    }

    [Fact]
    public void RecordIsOneLineOfText()
    {
        var line = Encoding.UTF8.GetString(JournalCodec.Encode(Records[1]));

        line.IndexOf('\n', StringComparison.Ordinal).ShouldBe(line.Length - 1);
        line.ShouldMatch("^[0-9a-f]{16} \\{\"sequence\":2,\"phase\":\"Planned\",\"epoch\":1,");
    }

    [Fact]
    public void EmptyFileHasNoRecords() => JournalCodec.Decode([], out _).ShouldBeEmpty();

    [Fact]
    public void TornTailIsCutWhereverItWasTorn()
    {
        var ends = Records.Aggregate(new List<int> { 0 }, (list, r) => [.. list, list[^1] + JournalCodec.Encode(r).Length]);
        for (var length = 0; length < Content.Length; length++)
        {
            var whole = ends.FindLastIndex(end => end <= length);

            var records = JournalCodec.Decode(Content.AsSpan(0, length), out var validBytes);

            validBytes.ShouldBe(ends[whole], $"cut at {length}");
            ShouldBeFirst(records, whole);
        }
    }

    [Fact]
    public void NoFlippedBitGoesUnseen()
    {
        for (var at = 0; at < Content.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var damaged = (byte[])Content.Clone();
                damaged[at] ^= (byte)(1 << bit);
                try
                {
                    // Only the last newline may be taken for a torn write: then its record is left out, and nothing is guessed.
                    var records = JournalCodec.Decode(damaged, out _);
                    at.ShouldBe(Content.Length - 1, $"byte {at} bit {bit}");
                    ShouldBeFirst(records, 2);
                }
                catch (JournalDamagedException e)
                {
                    e.Record.ShouldBeInRange(1, 3);
                }
            }
        }
    }

    [Fact]
    public void DamageNamesTheRecord()
    {
        var damaged = (byte[])Content.Clone();
        damaged[JournalCodec.Encode(Records[0]).Length + 30] ^= 1;

        Should.Throw<JournalDamagedException>(() => JournalCodec.Decode(damaged, out _)).Message.ShouldBe("journal record 2 is damaged: its checksum does not match");
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 1)]
    [InlineData(2, 0)]
    public void RecordsOutOfOrderAreDamage(int first, int second)
    {
        byte[] content = [.. JournalCodec.Encode(Records[first]), .. JournalCodec.Encode(Records[second])];

        Should.Throw<JournalDamagedException>(() => JournalCodec.Decode(content, out _)).Message.ShouldContain("it carries number");
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"sequence":1,"phase":"Nowhere","epoch":1,"at":"2026-01-01T00:00:00Z"}""")]
    [InlineData("not json")]
    public void RightChecksumOverSomethingElseIsDamage(string json)
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(json)))[..16];

        Should.Throw<JournalDamagedException>(() => JournalCodec.Decode(Encoding.UTF8.GetBytes($"{hash} {json}\n"), out _)).Record.ShouldBe(1);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("0123\n")]
    [InlineData("0123456789abcdef\n")]
    [InlineData("0123456789abcdef \n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n")]
    public void LineThatIsTooShortIsDamage(string line) =>
        Should.Throw<JournalDamagedException>(() => JournalCodec.Decode(Encoding.UTF8.GetBytes(line), out _));

    [Fact]
    public void LargestManifestOfTheWireCanBeReadBack()
    {
        // Each of these characters takes one byte on the wire and six in the journal.
        var large = Record(1, MigrationPhase.New, new JsonObject { [JournalKeys.Manifest] = new string('<', 4 << 20) });

        JournalCodec.Decode(JournalCodec.Encode(large), out _).Count.ShouldBe(1);
    }

    [Fact]
    public void RecordThatCouldNotBeReadBackIsNotWritten()
    {
        var large = Record(1, MigrationPhase.New, new JsonObject { [JournalKeys.Manifest] = new string('<', 6 << 20) });

        Should.Throw<IOException>(() => JournalCodec.Encode(large)).Message.ShouldContain("too long");
    }

    private static JournalRecord Record(int sequence, MigrationPhase phase, JsonObject? data) =>
        new() { Sequence = sequence, Phase = phase, Epoch = 1, At = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero), Data = data };

    private static void ShouldBeFirst(IReadOnlyList<JournalRecord> records, int count)
    {
        records.Count.ShouldBe(count);
        foreach (var (record, expected) in records.Zip(Records))
        {
            (record with { Data = null }).ShouldBe(expected with { Data = null });
            JsonNode.DeepEquals(record.Data, expected.Data).ShouldBeTrue();
        }
    }
}
