using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Runtimes.Docker;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Runtimes.Docker;

public sealed class ImageArchiveTests
{
    private static readonly byte[] Config = Encoding.UTF8.GetBytes("""{"rootfs":{}}""");
    private static readonly byte[] Lower = RandomNumberGenerator.GetBytes(70_000);
    private static readonly byte[] Upper = RandomNumberGenerator.GetBytes(3_000);
    private static readonly ImageIdentity Image = new("app:1", Digest(Config), [Digest(Lower), Digest(Upper)], 100_000);

    [Fact]
    public async Task SendsOnlyTheLayersThatAreAskedFor()
    {
        using var sent = new MemoryStream();

        await ImageArchive.FilterAsync(Saved(), sent, [Image.Id, Digest(Upper)], TestContext.Current.CancellationToken);

        Names(sent).ShouldBe([Blob(Config), Blob(Upper)], ignoreOrder: true);
    }

    [Fact]
    public async Task SaysWhichBlobIsNotThere()
    {
        var missing = Digest("nowhere"u8.ToArray());

        (await Should.ThrowAsync<InvalidDataException>(() => ImageArchive.FilterAsync(Saved(), Stream.Null, [missing], TestContext.Current.CancellationToken)))
            .Message.ShouldContain(missing[7..]);
    }

    [Fact]
    public async Task GivesDockerAnIndexOfAllLayersThoughSomeAreHereAlready()
    {
        using var sent = new MemoryStream();
        await ImageArchive.FilterAsync(Saved(), sent, [Image.Id, Digest(Upper)], TestContext.Current.CancellationToken);

        var index = JsonNode.Parse(Content(await CompletedAsync(sent.ToArray(), "app:1"), "manifest.json"))![0]!;

        index["Config"]!.GetValue<string>().ShouldBe(Blob(Config));
        index["RepoTags"]!.ToJsonString().ShouldBe("""["app:1"]""");
        index["Layers"]!.AsArray().Select(l => l!.GetValue<string>()).ShouldBe([Blob(Lower), Blob(Upper)]);
    }

    [Fact]
    public async Task CopiesContentUnchanged()
    {
        var completed = await CompletedAsync(Archive((Blob(Config), Config), (Blob(Lower), Lower)), tag: null);

        Content(completed, Blob(Lower)).ShouldBe(Lower);
        JsonNode.Parse(Content(completed, "manifest.json"))![0]!["RepoTags"].ShouldBeNull();
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000")]
    public async Task RefusesWhatDoesNotBelongToTheImage(string name)
    {
        await RefusedAsync(Archive((Blob(Config), Config), (name, Upper)), "does not belong to the image");
    }

    [Fact]
    public async Task RefusesABlobThatComesTwice()
    {
        await RefusedAsync(Archive((Blob(Config), Config), (Blob(Upper), Upper), (Blob(Upper), Upper)), "does not belong to the image");
    }

    [Fact]
    public async Task RefusesLinksInPlaceOfBlobs()
    {
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, Blob(Upper)) { LinkName = "/etc/shadow" }, TestContext.Current.CancellationToken);
        }

        await RefusedAsync(archive.ToArray(), "does not belong to the image");
    }

    [Fact]
    public async Task RefusesContentOfAnotherDigest()
    {
        await RefusedAsync(Archive((Blob(Config), Config), (Blob(Upper), Lower)), "another digest");
    }

    [Fact]
    public async Task RefusesAnArchiveWithoutTheConfiguration()
    {
        await RefusedAsync(Archive((Blob(Upper), Upper)), "lacks the image's configuration");
    }

    [Fact]
    public async Task RefusesAnArchiveThatIsCutOff()
    {
        var whole = Archive((Blob(Config), Config), (Blob(Lower), Lower));

        await Should.ThrowAsync<Exception>(() => CompletedAsync(whole[..50_000], tag: null));
    }

    [Fact]
    public async Task RefusesBytesBehindTheEnd()
    {
        byte[] archive = [.. Archive((Blob(Config), Config)), .. new byte[2 * 1024 * 1024]];

        await RefusedAsync(archive, "goes on behind its end");
    }

    private static async Task RefusedAsync(byte[] archive, string reason) =>
        (await Should.ThrowAsync<InvalidDataException>(() => CompletedAsync(archive, tag: null))).Message.ShouldContain(reason);

    private static async Task<byte[]> CompletedAsync(byte[] archive, string? tag)
    {
        using var completed = new MemoryStream();
        await ImageArchive.CompleteAsync(new ForwardOnlyStream(archive), new WriteOnlyStream(completed), Image, tag, TestContext.Current.CancellationToken);
        return completed.ToArray();
    }

    // In the shape of docker save since version 25.
    private static ForwardOnlyStream Saved() => new(Archive(
        (Blob(Lower), Lower), (Blob(Config), Config), (Blob(Upper), Upper), ("index.json", "{}"u8.ToArray()), ("manifest.json", "[]"u8.ToArray()), ("oci-layout", "{}"u8.ToArray())));

    private static byte[] Archive(params (string Name, byte[] Content)[] entries)
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
            }
        }

        return archive.ToArray();
    }

    private static List<string> Names(MemoryStream archive)
    {
        archive.Position = 0;
        using var reader = new TarReader(archive);
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            names.Add(entry.Name);
        }

        return names;
    }

    private static byte[] Content(byte[] archive, string name)
    {
        using var reader = new TarReader(new MemoryStream(archive));
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.Name == name)
            {
                using var content = new MemoryStream();
                entry.DataStream!.CopyTo(content);
                return content.ToArray();
            }
        }

        throw new FileNotFoundException(name);
    }

    private static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    private static string Blob(byte[] content) => "blobs/sha256/" + Digest(content)[7..];

    /// <summary>Like a connection: no seeking, and small reads.</summary>
    private sealed class ForwardOnlyStream(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1000)]);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, 1000)], cancellationToken);
    }

    private sealed class WriteOnlyStream(Stream inner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);
    }
}
