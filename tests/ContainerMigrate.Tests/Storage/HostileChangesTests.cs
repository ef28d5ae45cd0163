using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;
using static ContainerMigrate.Tests.Storage.ForgedStream;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Whatever the peer says that is to change: nothing outside the tree does, and nothing is opened that is no file of it.</summary>
public sealed class HostileChangesTests : HostileTree
{
    public HostileChangesTests() => Fill();

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("../outside/precious")]
    [InlineData("/etc/passwd")]
    [InlineData("dir/sub")]
    [InlineData("")]
    [InlineData("a\0b")]
    public async Task NamesThatLeadElsewhere(string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        await RefusedAsync(r => r.Remove(bytes), "name");
        await RefusedAsync(r => r.Enter(bytes), "name");
        await RefusedAsync(r => r.Patch(bytes, PlainFile), "name");
    }

    [Fact]
    public async Task ASymlinkIsNeverFollowed()
    {
        await RefusedAsync(r => r.Enter("way"u8), "a directory that is not there");
        await RefusedAsync(r => r.Patch("link"u8, PlainFile), "a file that is not there");
        await RefusedAsync(r => r.Patch("way"u8, PlainFile), "a file that is not there");
        await RefusedAsync(
            r =>
            {
                r.Remove("dir"u8);
                r.Symlink("dir"u8, PlainLink, 0, Encoding.UTF8.GetBytes(Outside));
                r.EntryEnd();
                r.Enter("dir"u8);
            },
            "a directory that is not there");
    }

    [Fact]
    public async Task RemovingASymlinkLeavesWhatItLeadsTo()
    {
        await TakeAsync(new CopyTotals(2, 0), r =>
        {
            r.Remove("way"u8);
            r.Remove("link"u8);
        });
        Directory.GetFileSystemEntries(Target).Length.ShouldBe(2);
    }

    [Fact]
    public async Task WhatIsNotThere()
    {
        await RefusedAsync(r => r.Remove("nothing"u8), "is not there is to go");
        await RefusedAsync(r => r.Enter("nothing"u8), "a directory that is not there");
        await RefusedAsync(r => r.Enter("file"u8), "a directory that is not there");
        await RefusedAsync(r => r.Patch("nothing"u8, PlainFile), "a file that is not there");
        await RefusedAsync(r => r.Patch("dir"u8, PlainFile), "a file that is not there");
        await RefusedAsync(
            r =>
            {
                r.Remove("file"u8);
                r.Remove("file"u8);
            },
            "is not there is to go");
    }

    [Fact]
    public async Task ADeviceIsNotWrittenTo()
    {
        // 1:5 is /dev/zero, which would take it all.
        await RefusedAsync(
            r =>
            {
                r.Node("disk"u8, PlainFile with { Mode = TreeAttributes.CharacterDevice | 0x1B6 }, 0, 1, 5);
                r.EntryEnd();
                r.Patch("disk"u8, PlainFile);
                AddData(r, 10);
            },
            "a file that is not there");
        await RefusedAsync(
            r =>
            {
                r.Node("fifo"u8, PlainFile with { Mode = TreeAttributes.Fifo | 0x1B6 }, 0, 0, 0);
                r.EntryEnd();
                r.Patch("fifo"u8, PlainFile);
            },
            "a file that is not there");
    }

    [Fact]
    public async Task WhatIsThereIsReplacedOnlyAfterItWasRemoved()
    {
        await RefusedAsync(r => r.File("file"u8, PlainFile, 0), "was there before");
        await RefusedAsync(r => r.Directory("dir"u8), "was there before");

        await TakeAsync(new CopyTotals(4, 0), r =>
        {
            r.Remove("file"u8);
            r.Directory("file"u8);
            EndDirectory(r);
            r.Remove("dir"u8);
            AddFile(r, "dir"u8);
        });
        Directory.Exists(Path.Combine(Target, "file")).ShouldBeTrue();
        File.Exists(Path.Combine(Target, "dir")).ShouldBeTrue();
    }

    [Fact]
    public async Task LinksToWhatWasThereBeforeCannotBeMade()
    {
        await RefusedAsync(r => r.Link("another"u8, 1, isLast: true), "did not come");
        await RefusedAsync(
            r =>
            {
                r.Enter("dir"u8);
                AddFile(r, "new"u8, linkId: 1);
                EndDirectory(r);
                r.Remove("dir"u8);
                r.Symlink("dir"u8, PlainLink, 0, Encoding.UTF8.GetBytes(Outside));
                r.EntryEnd();
                r.Link("another"u8, 1, isLast: true);
            },
            "");
    }

    [Fact]
    public async Task RecordsOutOfPlace()
    {
        await RefusedAsync(r => r.Keep(10), "no place");
        await RefusedAsync(InPatch(r => r.Remove("file"u8)), "no place");
        await RefusedAsync(InPatch(r => r.Enter("dir"u8)), "no place");
        await RefusedAsync(InPatch(r => r.Keep(0)), "nothing is kept");
        await RefusedAsync(InPatch(r => r.Keep(-1)), "2^63");
        await RefusedAsync(
            InPatch(r =>
            {
                r.Keep(1);
                r.Keep(1);
            }),
            "nothing is kept");
        await RefusedAsync(
            InPatch(r =>
            {
                r.Keep(long.MaxValue);
                AddData(r, 1);
            }),
            "2^63");
        await RefusedAsync(
            r =>
            {
                r.File("new"u8, PlainFile, 0);
                r.Keep(10);
            },
            "no place");
        await RefusedAsync(r => r.Patch("file"u8, PlainFile with { Mode = TreeAttributes.Directory }), "mode");
        await RefusedAsync(r => r.Enter("dir"u8), "ends before the tree does");
    }

    [Fact]
    public async Task ChangesWhereOnlyAWholeTreeIsTaken()
    {
        var stream = new MemoryStream(await OfChangesAsync(r => r.Remove("file"u8)));
        (await Should.ThrowAsync<InvalidDataException>(() => new DirectoryCopier().ReceiveAsync(Target, stream, 1 << 20, TestContext.Current.CancellationToken)))
            .Message.ShouldContain("content of kind 1 is not taken here");
        (await Should.ThrowAsync<InvalidDataException>(async () => await TakeAsync(await OfAsync(r => r.Remove("file"u8))))).Message.ShouldContain("no place");
        (await Should.ThrowAsync<InvalidDataException>(async () => await TakeAsync(await OfAsync((_, _) => { }, content: 2)))).Message.ShouldContain("content of kind 2");
        File.Exists(Path.Combine(Target, "file")).ShouldBeTrue();
    }

    [Fact]
    public async Task MoreContentThanAgreed()
    {
        var stream = await OfChangesAsync(InPatch(r => AddData(r, 5000)));
        (await Should.ThrowAsync<InvalidDataException>(() => new DirectoryCopier().ReceiveChangesAsync(Target, new MemoryStream(stream), 4999, TestContext.Current.CancellationToken)))
            .Message.ShouldContain("more content than the 4999 bytes");
    }

    [Fact]
    public async Task AChangedStreamIsRefusedOrHarmless()
    {
        const int Rounds = 400;
        var source = Sandbox.Make("target/source");
        var cgroup = Sandbox.Make("target/cgroup");
        var followed = new FollowedTree(source, t => ContainerWriters.Find(t, cgroup, Environment.ProcessId));
        new TestTree(source).AddFile("patched", 300_000);
        var editor = new TreeEditor(source, 5);
        editor.Change(30);
        using var first = await StreamAsync();
        File.AppendAllText(Path.Combine(source, "patched"), "1");
        editor.Change(10);
        using var second = await StreamAsync();
        File.AppendAllText(Path.Combine(source, "patched"), "2");
        using var third = await StreamAsync();
        var payload = PayloadOf(third.ToArray());
        var random = new Random(4712);
        var refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var copy = Sandbox.Make("target/copy");
            await ReceiveAsync(copy, first.ToArray());
            await ReceiveAsync(copy, second.ToArray());
            try
            {
                await ReceiveAsync(copy, OfPayload(StreamFuzzTests.Mutate(payload, random, kinds: 18)));
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                refused++;
            }

            Directory.GetFileSystemEntries(Sandbox.Path).Length.ShouldBe(2, $"round {round}");
            DirectoryCleaner.Empty(copy, TestContext.Current.CancellationToken);
        }

        refused.ShouldBeGreaterThan(Rounds / 2);

        async Task<MemoryStream> StreamAsync()
        {
            await followed.ScanAsync(isLast: false, TestContext.Current.CancellationToken);
            var stream = new MemoryStream();
            await followed.SendAsync(stream, progress: null, TestContext.Current.CancellationToken);
            return stream;
        }

        Task ReceiveAsync(string directory, byte[] stream) => new DirectoryCopier(new DirectoryCopierOptions { AllowDeviceNodes = false })
            .ReceiveChangesAsync(directory, new MemoryStream(stream), 64 << 20, TestContext.Current.CancellationToken);
    }

    private static Action<TreeRecordWriter> InPatch(Action<TreeRecordWriter> write) => r =>
    {
        r.Patch("file"u8, PlainFile);
        write(r);
    };

    private async Task RefusedAsync(Action<TreeRecordWriter> write, string reason)
    {
        var before = Directory.GetFileSystemEntries(Sandbox.Path).Length;
        var e = await Should.ThrowAsync<Exception>(async () => await TakeAsync(await OfChangesAsync(write)));
        (e is InvalidDataException || (reason.Length == 0 && e is IOException)).ShouldBeTrue(e.ToString());
        e.Message.ShouldContain(reason);
        Directory.GetFileSystemEntries(Sandbox.Path).Length.ShouldBe(before);
        DirectoryCleaner.Empty(Target);
        Fill();
    }

    private async Task TakeAsync(CopyTotals totals, Action<TreeRecordWriter> write) => await TakeAsync(await OfChangesAsync(r =>
    {
        write(r);
        EndTree(r, totals);
    }));

    private Task TakeAsync(byte[] stream) =>
        new DirectoryCopier().ReceiveChangesAsync(Target, new MemoryStream(stream), 1 << 20, TestContext.Current.CancellationToken);

    private void Fill()
    {
        Directory.CreateDirectory(Path.Combine(Target, "dir", "sub"));
        File.WriteAllText(Path.Combine(Target, "file"), "content");
        File.CreateSymbolicLink(Path.Combine(Target, "way"), Outside);
        File.CreateSymbolicLink(Path.Combine(Target, "link"), Path.Combine(Outside, "precious"));
    }
}
