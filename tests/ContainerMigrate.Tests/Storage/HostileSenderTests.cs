using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;
using static ContainerMigrate.Tests.Storage.ForgedStream;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Whatever the peer writes is refused with its reason, and nothing outside the target changes.</summary>
public sealed class HostileSenderTests : HostileTree
{
    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("../outside/x")]
    [InlineData("/etc/x")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("a\0b")]
    public async Task NamesThatLeadElsewhere(string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        await RefusedAsync(r => r.Directory(bytes), "name");
        await RefusedAsync(r => r.File(bytes, PlainFile, 0), "name");
        await RefusedAsync(r => r.Symlink(bytes, PlainLink, 0, "x"u8), "name");
        await RefusedAsync(r => r.Node(bytes, PlainFile with { Mode = TreeAttributes.Fifo }, 0, 0, 0), "name");
        await RefusedAsync(
            r =>
            {
                AddFile(r, "first"u8, linkId: 1);
                r.Link(bytes, 1, isLast: false);
            },
            "name");
    }

    [Fact]
    public async Task AWayThroughASymlinkThatCameBefore()
    {
        var outside = Encoding.UTF8.GetBytes(Outside);
        await RefusedAsync(
            r =>
            {
                r.Symlink("way"u8, PlainLink, 0, outside);
                r.EntryEnd();
                r.Directory("way"u8);
                AddFile(r, "escaped"u8);
            },
            "way: it came twice");
    }

    [Fact]
    public async Task AWayThroughASymlinkThatWasThere()
    {
        File.CreateSymbolicLink(Path.Combine(Target, "way"), Outside);
        await RefusedAsync(r => r.Directory("way"u8), "was there before", clean: false);
        await RefusedAsync(r => r.File("way"u8, PlainFile, 0), "was there before", clean: false);
    }

    [Fact]
    public async Task ExistingDataIsNotReplaced()
    {
        File.WriteAllText(Path.Combine(Target, "mine"), "mine");
        Directory.CreateDirectory(Path.Combine(Target, "mine-too"));
        await RefusedAsync(r => r.File("mine"u8, PlainFile, 0), "was there before", clean: false);
        await RefusedAsync(r => r.Directory("mine-too"u8), "was there before", clean: false);
        File.ReadAllText(Path.Combine(Target, "mine")).ShouldBe("mine");
    }

    [Fact]
    public async Task TheSameNameTwice()
    {
        await RefusedAsync(r => Twice(() => AddFile(r, "same"u8)), "came twice");
        await RefusedAsync(
            r => Twice(() =>
            {
                r.Directory("same"u8);
                EndDirectory(r);
            }),
            "came twice");
        await RefusedAsync(
            r =>
            {
                AddFile(r, "same"u8, linkId: 3);
                r.Link("same"u8, 3, isLast: false);
            },
            "came twice");
    }

    [Fact]
    public async Task HardLinksToWhatDidNotCome()
    {
        File.WriteAllText(Path.Combine(Target, "there"), "");
        await RefusedAsync(r => r.Link("name"u8, 1, isLast: false), "did not come");
        await RefusedAsync(r => r.Link("name"u8, 0, isLast: false), "without an id");
        await RefusedAsync(
            r =>
            {
                AddFile(r, "a"u8, linkId: 1);
                r.Link("b"u8, 1, isLast: true);
                r.Link("c"u8, 1, isLast: true);
            },
            "did not come");
        await RefusedAsync(
            r =>
            {
                AddFile(r, "a"u8, linkId: 1);
                AddFile(r, "b"u8, linkId: 1);
            },
            "given before");
    }

    [Fact]
    public async Task SizesThatLie()
    {
        await RefusedAsync(InFile(r => r.FileEnd(1)), "a file of 1 bytes came with 0");
        await RefusedAsync(InFile(r => r.FileEnd(-1)), "a file of 18446744073709551615 bytes");
        await RefusedAsync(InFile(r => r.Hole(0)), "hole");
        await RefusedAsync(InFile(r => Twice(() => r.Hole(1))), "hole");
        await RefusedAsync(InFile(r => r.Hole(-1)), "2^63");
        await RefusedAsync(
            InFile(r =>
            {
                r.Hole(long.MaxValue);
                AddData(r, 1);
            }),
            "2^63");
        await RefusedAsync(await OfTreeAsync(new CopyTotals(2, 0), r => AddFile(r, "one"u8)), "1 entries with 0 bytes came, 2 with 0 were announced");
        await RefusedAsync(await OfTreeAsync(new CopyTotals(1, 5), r => AddFile(r, "one"u8)), "announced");
    }

    [Fact]
    public async Task RecordsOutOfPlace()
    {
        await RefusedAsync(r => AddData(r, 10), "no place");
        await RefusedAsync(r => r.Hole(10), "no place");
        await RefusedAsync(r => r.FileEnd(0), "no place");
        await RefusedAsync(r => r.EntryEnd(), "no place");
        await RefusedAsync(r => r.Attribute("user.x"u8, "y"u8), "no place");
        await RefusedAsync(r => r.TreeEnd(new CopyTotals(0, 0)), "no place");
        await RefusedAsync(InFile(r => r.Directory("d"u8)), "no place");
        await RefusedAsync(InFile(r => r.EntryEnd()), "no place");
        await RefusedAsync(r => Twice(() => EndDirectory(r)), "no place");
        await RefusedAsync(
            r =>
            {
                EndTree(r, new CopyTotals(0, 0));
                EndTree(r, new CopyTotals(0, 0));
            },
            "goes on after");
        await RefusedAsync(r => r.Directory("never left"u8), "ends before the tree does");
        await RefusedAsync(OfPayload([]), "ends before the tree does");
    }

    [Fact]
    public async Task NumbersOutOfRange()
    {
        await RefusedAsync(r => r.File("f"u8, PlainFile with { Mode = TreeAttributes.Directory }, 0), "mode");
        await RefusedAsync(r => r.File("f"u8, PlainFile with { Mode = 0x100_0000 | TreeAttributes.RegularFile }, 0), "mode");
        await RefusedAsync(r => r.File("f"u8, PlainFile with { UserId = uint.MaxValue }, 0), "owner");
        await RefusedAsync(r => r.File("f"u8, PlainFile with { GroupId = uint.MaxValue }, 0), "owner");
        await RefusedAsync(r => r.File("f"u8, PlainFile with { AccessTime = new FileTime(0, 1_000_000_000) }, 0), "nanoseconds");
        await RefusedAsync(r => r.Node("n"u8, PlainFile, 0, 0, 0), "a node of type");
        await RefusedAsync(r => r.Node("n"u8, PlainFile with { Mode = TreeAttributes.CharacterDevice }, 0, 4096, 0), "device number");
        await RefusedAsync(r => r.Node("n"u8, PlainFile with { Mode = TreeAttributes.BlockDevice }, 0, 1, 1 << 20), "device number");
        await RefusedAsync(r => r.Node("n"u8, PlainFile with { Mode = TreeAttributes.Socket }, 0, 1, 1), "device number");
        await RefusedAsync(r => r.Symlink("s"u8, PlainLink, 0, []), "target");
        await RefusedAsync(r => r.Symlink("s"u8, PlainLink, 0, "a\0b"u8), "target");
        await RefusedAsync(r => r.Symlink("s"u8, PlainLink, 0, new byte[4096]), "target");
    }

    [Fact]
    public async Task ExtendedAttributesThatDoNotTravel()
    {
        await RefusedAsync(WithAttribute("security.selinux", "x"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("trusted.overlay.origin", "x"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("user.overlay.overlay.upper", "x"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("trusted.overlay.redirect", "/../../etc"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("trusted.overlay.redirect", "a/b"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("nonsense", "x"u8.ToArray()), "not allowed");
        await RefusedAsync(WithAttribute("user.a\0b", "x"u8.ToArray()), "zero byte");
        await RefusedAsync(WithAttribute("user.giant", new byte[65537]), "65537 bytes");
        await RefusedAsync(
            WithAttribute("trusted.overlay.opaque", "y"u8.ToArray()), "not allowed", new DirectoryCopierOptions { AllowTrustedAttributes = false });
        await RefusedAsync(
            InFile(r =>
            {
                r.FileEnd(0);
                Twice(() => r.Attribute("user.twice"u8, "x"u8));
            }),
            "came twice");
    }

    [Fact]
    public async Task DevicesWhereNoneAreAllowed()
    {
        var options = new DirectoryCopierOptions { AllowDeviceNodes = false };
        var device = PlainFile with { Mode = TreeAttributes.BlockDevice | 0x1B6 };
        await RefusedAsync(r => r.Node("sda"u8, device, 0, 8, 0), "sda: device node 8:0", options);
        await RefusedAsync(r => r.Node("mem"u8, device with { Mode = TreeAttributes.CharacterDevice }, 0, 1, 1), "mem: device node 1:1", options);

        var whiteout = await OfTreeAsync(new CopyTotals(1, 0), r =>
        {
            r.Node("whiteout"u8, device with { Mode = TreeAttributes.CharacterDevice }, 0, 0, 0);
            r.EntryEnd();
        });
        (await ReceiveAsync(new MemoryStream(whiteout), options)).Entries.ShouldBe(1, "a whiteout is no device");
    }

    [Fact]
    public async Task ContentThatNeverEnds()
    {
        using var stream = new EndlessStream(
            await OfAsync(r => r.File("f"u8, PlainFile, 0)),
            OfPayload([(byte)TreeRecordKind.Data, 0, 0, 1, 0, .. new byte[65536]]));
        var e = await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(stream, null, maxBytes: 8 << 20));
        e.Message.ShouldContain("more content than the 8388608 bytes");
        stream.BytesRead.ShouldBeLessThan(10 << 20);
    }

    [Fact]
    public async Task EntriesThatNeverEnd()
    {
        var options = new DirectoryCopierOptions { MaxEntries = 5000, MaxLinkedFiles = 100, MaxAttributeBytes = 1 << 20 };
        using var files = new EndlessStream(await OfAsync(_ => { }), n => OfPayload(NumberedFile(n, 0)));
        (await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(files, options))).Message.ShouldContain("more than 5000 entries");

        using var linked = new EndlessStream(await OfAsync(_ => { }), n => OfPayload(NumberedFile(1_000_000 + n, n + 1)));
        (await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(linked, options))).Message.ShouldContain("more than 100 files with several names");

        using var attributes = new EndlessStream(
            await OfAsync(r =>
            {
                r.File("f"u8, PlainFile, 0);
                r.FileEnd(0);
            }),
            n => OfPayload([(byte)TreeRecordKind.Attribute, 11, .. Encoding.ASCII.GetBytes($"user.{n % 1_000_000:d6}"), 1, 0, 0, 0, (byte)'x']));
        await Should.ThrowAsync<Exception>(() => ReceiveAsync(attributes, options));

        using var depth = new EndlessStream(await OfAsync(_ => { }), _ => OfPayload([(byte)TreeRecordKind.Directory, 1, (byte)'d']));
        (await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(depth, options))).Message.ShouldContain("more than 5000 entries");
    }

    [Fact]
    public async Task BrokenBlocks()
    {
        var good = await OfTreeAsync(new CopyTotals(1, 0), r => AddFile(r, "one"u8));
        await RefusedAsync(OfPayload(Changed(PayloadOf(good), 0, 1)), "mark of a directory tree");
        await RefusedAsync(OfPayload(Changed(PayloadOf(good), 8, 9)), "version 9");
        await RefusedAsync(Changed(good, 3, 0x7F), "a block of");
        await RefusedAsync(Changed(good, good.Length - 1, (byte)(good[^1] ^ 1)), "digest");
        await RefusedAsync(Changed(good, good.Length - 16, (byte)(good[^16] ^ 1)), "the sender counted");
        await RefusedAsync(Changed(good, 60, (byte)(good[60] ^ 1)), "");
    }

    [Fact]
    public async Task ARecordInTwoBlocks()
    {
        // What was checked in one buffer must not be used after the buffer was filled anew.
        var payload = PayloadOf(await OfTreeAsync(new CopyTotals(2, 3), r =>
        {
            r.Symlink("link"u8, PlainLink, 0, "target"u8);
            r.Attribute("trusted.x"u8, "value"u8);
            r.EntryEnd();
            r.File("file"u8, PlainFile, 0);
            AddData(r, 3);
            r.FileEnd(3);
            r.EntryEnd();
        }));
        var boundaries = 0;
        for (var cut = 1; cut < payload.Length; cut++)
        {
            try
            {
                await ReceiveAsync(new MemoryStream(OfPayload(payload, cut)));
                boundaries++;
            }
            catch (InvalidDataException e)
            {
                e.Message.ShouldContain("crosses the end of its block");
            }

            DirectoryCleaner.Empty(Target, TestContext.Current.CancellationToken);
        }

        // Header, and in front of each of ten records but the first.
        boundaries.ShouldBe(10);
    }

    [Fact]
    public async Task ALinkToADirectoryCannotBeAsked()
    {
        // Directories have no link id in the format; one that a symlink has is a link to the symlink itself.
        var stream = await OfTreeAsync(new CopyTotals(2, 0), r =>
        {
            r.Symlink("out"u8, PlainLink, 1, Encoding.UTF8.GetBytes(Path.Combine(Outside, "precious")));
            r.EntryEnd();
            r.Link("again"u8, 1, isLast: true);
        });
        await ReceiveAsync(new MemoryStream(stream));
        new FileInfo(Path.Combine(Target, "again")).LinkTarget.ShouldBe(Path.Combine(Outside, "precious"));
    }

    private static Action<TreeRecordWriter> InFile(Action<TreeRecordWriter> write) => r =>
    {
        r.File("f"u8, PlainFile, 0);
        write(r);
    };

    private static Action<TreeRecordWriter> WithAttribute(string name, byte[] value) => InFile(r =>
    {
        r.FileEnd(0);
        r.Attribute(Encoding.UTF8.GetBytes(name), value);
    });

    private static void Twice(Action action)
    {
        action();
        action();
    }

    private static byte[] Changed(byte[] stream, int position, byte value)
    {
        var changed = stream.ToArray();
        changed[position] = value;
        return changed;
    }

    private static byte[] NumberedFile(long number, long linkId) =>
    [
        (byte)TreeRecordKind.File, 0xA4, 0x81, 0, 0, .. new byte[32], .. BitConverter.GetBytes(linkId), 8, .. Encoding.ASCII.GetBytes($"{number:d8}"),
        (byte)TreeRecordKind.FileEnd, .. new byte[8], (byte)TreeRecordKind.EntryEnd,
    ];

    private async Task RefusedAsync(Action<TreeRecordWriter> write, string reason, DirectoryCopierOptions? options = null, bool clean = true) =>
        await RefusedAsync(await OfAsync(write), reason, options, clean);

    private async Task RefusedAsync(byte[] stream, string reason, DirectoryCopierOptions? options = null, bool clean = true)
    {
        var e = await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(new MemoryStream(stream), options));
        e.Message.ShouldContain(reason);
        if (clean)
        {
            DirectoryCleaner.Empty(Target);
        }
    }

    private Task<CopyTotals> ReceiveAsync(Stream stream, DirectoryCopierOptions? options = null, long maxBytes = 1 << 30) =>
        new DirectoryCopier(options).ReceiveAsync(Target, stream, maxBytes, TestContext.Current.CancellationToken);
}
