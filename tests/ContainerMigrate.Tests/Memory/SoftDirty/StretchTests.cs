using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Memory.SoftDirty;
using ContainerMigrate.Memory;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory.SoftDirty;

public sealed class StretchTests
{
    private const ulong Page = MemoryPage.Bytes;
    private const ulong Start = 0x7F00_0000_0000;

    [Fact]
    public void AreThePrivateMappingsInPiecesOfBoundedSize()
    {
        Mapping[] mappings =
        [
            Of(Start + Page, Start + (2 * Stretch.MaxBytes) + Page, MappingKind.Anonymous), Of(Start + (3 * Stretch.MaxBytes), Start + (3 * Stretch.MaxBytes) + Page, MappingKind.Shared),
            Of(Start + (4 * Stretch.MaxBytes), Start + (4 * Stretch.MaxBytes) + Page, MappingKind.PrivateFile), Of(Start + (5 * Stretch.MaxBytes), Start + (6 * Stretch.MaxBytes), MappingKind.Other),
        ];

        Stretch.Of(mappings).ShouldBe(
        [
            new Stretch(new AddressRange(Start + Page, Start + Stretch.MaxBytes), MappingKind.Anonymous),
            new Stretch(new AddressRange(Start + Stretch.MaxBytes, Start + (2 * Stretch.MaxBytes)), MappingKind.Anonymous),
            new Stretch(new AddressRange(Start + (2 * Stretch.MaxBytes), Start + (2 * Stretch.MaxBytes) + Page), MappingKind.Anonymous),
            new Stretch(new AddressRange(Start + (4 * Stretch.MaxBytes), Start + (4 * Stretch.MaxBytes) + Page), MappingKind.PrivateFile),
        ]);
    }

    [Fact]
    public void GrowByWhatContinuesThemUpToThatSize()
    {
        List<Stretch> stretches = [];
        Stretch[] pieces =
        [
            Piece(0, MappingKind.Anonymous), Piece(1, MappingKind.Anonymous), Piece(3, MappingKind.Anonymous), Piece(4, MappingKind.PrivateFile),
            .. Enumerable.Range(31, 3).Select(i => Piece((ulong)i, MappingKind.Anonymous)),
        ];

        Array.ForEach(pieces, piece => Stretch.Append(stretches, piece));

        stretches.Select(s => (Table(s.Range.Start), Table(s.Range.End), s.Kind)).ShouldBe(
        [
            (0UL, 2UL, MappingKind.Anonymous), (3UL, 4UL, MappingKind.Anonymous), (4UL, 5UL, MappingKind.PrivateFile), (31UL, 32UL, MappingKind.Anonymous), (32UL, 34UL, MappingKind.Anonymous),
        ]);
    }

    private static Mapping Of(ulong start, ulong end, MappingKind kind) => new(new AddressRange(start, end), kind, true, 0, 0, false);

    private static Stretch Piece(ulong table, MappingKind kind) =>
        new(new AddressRange(Start + (table * Pagemap.TableBytes), Start + ((table + 1) * Pagemap.TableBytes)), kind);

    private static ulong Table(ulong address) => (address - Start) / Pagemap.TableBytes;
}
