using System.Text;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

public sealed class MappingReaderTests
{
    [Theory]
    [InlineData("55d0c2800000-55d0c2821000 rw-p 00000000 00:00 0                          [heap]", nameof(MappingKind.Anonymous))]
    [InlineData("7ffc1b000000-7ffc1b021000 rw-p 00000000 00:00 0                          [stack]", nameof(MappingKind.Anonymous))]
    [InlineData("7f0000000000-7f0000001000 ---p 00000000 00:00 0 ", nameof(MappingKind.Anonymous))]
    [InlineData("7f0000000000-7f0000001000 rw-p 00000000 00:00 0                          [anon:glibc: malloc arena]", nameof(MappingKind.Anonymous))]
    [InlineData("7f0000000000-7f0000001000 rw-p 00000000 00:05 4                          /dev/zero", nameof(MappingKind.Anonymous))]
    [InlineData("7f0000000000-7f0000001000 r-xp 00001000 08:01 1234                       /bin/a b (deleted)", nameof(MappingKind.PrivateFile))]
    [InlineData("7f0000000000-7f0000001000 rw-s 00001000 00:01 77                         /dev/zero (deleted)", nameof(MappingKind.Shared))]
    [InlineData("7f0000000000-7f0000001000 rw-s 00001000 08:01 77                         /var/data", nameof(MappingKind.Other))]
    [InlineData("7ffc1b1f2000-7ffc1b1f4000 r-xp 00000000 00:00 0                          [vdso]", nameof(MappingKind.Other))]
    [InlineData("7ffc1b1ee000-7ffc1b1f2000 r--p 00000000 00:00 0                          [vvar]", nameof(MappingKind.Other))]
    [InlineData("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]", nameof(MappingKind.Other))]
    public void TellsWhatAMappingIs(string line, string kind) => Parse(line).Kind.ToString().ShouldBe(kind);

    [Fact]
    public void ReadsAllFields()
    {
        var mapping = Parse("7f0000001000-7f0000003000 rw-s 00005000 00:01 77                         /memfd:x (deleted)");

        mapping.ShouldBe(new Mapping(new AddressRange(0x7f0000001000, 0x7f0000003000), MappingKind.Shared, IsWritable: true, 0x5000, 77, HasName: true));
        Parse("7f0000001000-7f0000003000 r--p 00005000 00:00 0 ").IsWritable.ShouldBeFalse();
    }

    [Fact]
    public void ReadsItsOwnProcessInPieces()
    {
        var mappings = new List<Mapping>();
        using var maps = File.OpenHandle("/proc/self/maps", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        MappingReader.Read(maps, mappings);

        mappings.Count.ShouldBeGreaterThan(100);
        mappings.Select(m => m.Range.Start).ShouldBeInOrder();
        mappings.ShouldContain(m => m.Kind == MappingKind.PrivateFile && !m.IsWritable);
    }

    private static Mapping Parse(string line) => MappingReader.Parse(Encoding.ASCII.GetBytes(line));
}
