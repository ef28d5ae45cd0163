using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Streams that were good once: cut off, and changed at random with a digest that is right again.</summary>
public sealed class StreamFuzzTests : IDisposable
{
    private const int Rounds = 2000;
    private readonly TestDirectory _directory = new();
    private readonly string _target;
    private readonly string _outside;

    public StreamFuzzTests()
    {
        TestTree.RequireRoot();
        _target = _directory.Make("target");
        _outside = _directory.Make("outside");
        File.WriteAllText(Path.Combine(_outside, "precious"), "precious");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task AStreamCutOffAnywhereIsRefused()
    {
        var stream = await MakeStreamAsync();
        for (var length = 0; length < stream.Length; length++)
        {
            var e = await Should.ThrowAsync<InvalidDataException>(() => ReceiveAsync(stream[..length]));
            e.Message.ShouldContain("ends early");
            DirectoryCleaner.Empty(_target, TestContext.Current.CancellationToken);
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{stream.Length} lengths");
    }

    [Fact]
    public async Task AChangedStreamIsRefusedOrHarmless()
    {
        var before = TreeDigest.Of(_outside, withAccessTimes: false);
        var payload = ForgedStream.PayloadOf(await MakeStreamAsync());
        var random = new Random(4711);
        var (taken, refused, failed) = (0, 0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            try
            {
                await ReceiveAsync(ForgedStream.OfPayload(Mutate(payload, random)));
                taken++;
            }
            catch (InvalidDataException)
            {
                refused++;
            }
            catch (IOException)
            {
                // What only the kernel can judge: a file too large, an ACL that is none.
                failed++;
            }

            Directory.GetFileSystemEntries(_directory.Path).Length.ShouldBe(2, $"round {round}");
            DirectoryCleaner.Empty(_target, TestContext.Current.CancellationToken);
        }

        TreeDigest.Differences(before, TreeDigest.Of(_outside, withAccessTimes: false)).ShouldBeEmpty();
        TestContext.Current.TestOutputHelper!.WriteLine($"{Rounds} streams: {taken} taken, {refused} refused, {failed} failed in the kernel");
        refused.ShouldBeGreaterThan(Rounds / 2);
    }

    /// <summary>Changes a stream at random.</summary>
    /// <param name="kinds">One more than the last kind of record that is put in somewhere.</param>
    internal static byte[] Mutate(byte[] payload, Random random, int kinds = 14)
    {
        var bytes = payload.ToList();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            var position = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 64), bytes.Count - position);
            switch (random.Next(6))
            {
                case 0:
                    bytes[position] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[position] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(position, length);
                    break;
                case 3:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(position, length));
                    break;
                case 4:
                    bytes[position] = (byte)random.Next(1, kinds);
                    break;
                default:
                    bytes.InsertRange(position, "../"u8.ToArray());
                    break;
            }

            if (bytes.Count == 0)
            {
                break;
            }
        }

        return [.. bytes];
    }

    private async Task<byte[]> MakeStreamAsync()
    {
        using var source = new TestDirectory();
        var tree = new TestTree(source.Path);
        Directory.CreateDirectory(tree.PathOf("dir/sub"));
        tree.AddFile("dir/file", 40);
        tree.AddSparseFile("dir/sparse", 49_172, 49_152);
        tree.AddLink("dir/sub/link", "dir/file");
        tree.AddLink("link", "dir/file");
        File.CreateSymbolicLink(tree.PathOf("symlink"), _outside);
        tree.AddNode("fifo", TreeAttributes.Fifo);
        tree.AddNode("whiteout", TreeAttributes.CharacterDevice);
        tree.SetAttribute("dir", "trusted.overlay.opaque", (byte)'y');
        tree.SetAttribute("link", "user.note", 1, 2, 3);
        using var stream = new MemoryStream();
        await new DirectoryCopier().SendAsync(source.Path, stream, progress: null, TestContext.Current.CancellationToken);
        return stream.ToArray();
    }

    private async Task ReceiveAsync(byte[] stream)
    {
        using var source = new MemoryStream(stream);
        var options = new DirectoryCopierOptions { AllowDeviceNodes = false };
        await new DirectoryCopier(options).ReceiveAsync(_target, source, 1 << 20, TestContext.Current.CancellationToken);
        source.Position.ShouldBe(source.Length, "all of the stream and nothing more is read");
    }
}
