using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ContainerMigrate.Saving;
using ContainerMigrate.Tests.Migration;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Saving;

/// <summary>What is written is read again, and nothing else is: one altered bit anywhere is found.</summary>
public sealed class SavedFileTests
{
    private static readonly SavedSecret Passphrase = new(SavedProtection.Passphrase, "correct horse"u8.ToArray());
    private static readonly SavedSecret Key = new(SavedProtection.Key, [.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    public static TheoryData<SavedProtection> Protections => [SavedProtection.None, SavedProtection.Passphrase, SavedProtection.Key];

    [Theory]
    [MemberData(nameof(Protections))]
    public async Task ReadsWhatWasWritten(SavedProtection protection)
    {
        var pages = RandomNumberGenerator.GetBytes((3 << 20) + 17);
        var text = new byte[(2 << 20) + 1]; // compresses well
        var file = await WriteAsync(SecretOf(protection), pages, text);
        file.Length.ShouldBeLessThan(pages.Length + (64 << 10));

        var saved = await SavedFile.VerifyAsync(new MemoryStream(file), SecretOf(protection), TestContext.Current.CancellationToken);
        saved.Manifest.Container.Name.ShouldBe("web");
        saved.Manifest.Host.HostName.ShouldBe("h1");
        saved.Settings.RestartPolicy["Name"]!.GetValue<string>().ShouldBe("always");
        saved.Parts.Select(p => p.Part).ShouldBe([SavedPart.Manifest, SavedPart.Files, SavedPart.Pages, SavedPart.Checkpoint, SavedPart.Settings]);
        (saved.Parts[2].Bytes, saved.Parts[2].Sha256).ShouldBe((pages.Length, Convert.ToHexStringLower(SHA256.HashData(pages))));

        using var reader = await SavedFileReader.OpenAsync(new MemoryStream(file), SecretOf(protection), TestContext.Current.CancellationToken);
        while (await reader.NextAsync(TestContext.Current.CancellationToken) != SavedPart.Pages)
        {
        }

        using var read = new MemoryStream();
        await reader.OpenPart().CopyToAsync(read, TestContext.Current.CancellationToken);
        read.ToArray().ShouldBe(pages);
        Encoding.Latin1.GetString(file).Contains("\"web\"", StringComparison.Ordinal).ShouldBeFalse(); // compressed at least
    }

    [Theory]
    [InlineData(SavedProtection.None)]
    [InlineData(SavedProtection.Key)]
    public async Task OneAlteredBitAnywhereIsFound(SavedProtection protection)
    {
        var file = await WriteAsync(SecretOf(protection), RandomNumberGenerator.GetBytes(300), new byte[300]);
        for (var i = 0; i < file.Length; i++)
        {
            // Each of the eight, in turn.
            file[i] ^= (byte)(1 << (i % 8));
            await ShouldBeRefusedAsync(file, SecretOf(protection), $"bit {i % 8} of byte {i} of {file.Length}");
            file[i] ^= (byte)(1 << (i % 8));
        }
    }

    [Theory]
    [InlineData(SavedProtection.None)]
    [InlineData(SavedProtection.Key)]
    public async Task FileThatEndsEarlyOrLateIsRefused(SavedProtection protection)
    {
        var file = await WriteAsync(SecretOf(protection), RandomNumberGenerator.GetBytes(300), new byte[300]);
        for (var length = 0; length < file.Length; length++)
        {
            await ShouldBeRefusedAsync(file[..length], SecretOf(protection), $"{length} bytes");
        }

        await ShouldBeRefusedAsync([.. file, 0], SecretOf(protection), "a byte more");
        await ShouldBeRefusedAsync([.. file, .. file], SecretOf(protection), "twice");
    }

    [Fact]
    public async Task FramesCannotBeLeftOutRepeatedOrTakenFromAnotherFile()
    {
        foreach (var secret in (SavedSecret?[])[null, Key])
        {
            var file = await WriteAsync(secret, RandomNumberGenerator.GetBytes(3 << 20), [1]);
            var other = await WriteAsync(secret, RandomNumberGenerator.GetBytes(3 << 20), [1]);
            var frames = FramesOf(file, secret is null ? 32 : 16);
            var others = FramesOf(other, secret is null ? 32 : 16);
            for (var i = 0; i < frames.Count; i++)
            {
                await ShouldBeRefusedAsync(Join(file, [.. frames[..i], .. frames[(i + 1)..]]), secret, $"without frame {i}");
                await ShouldBeRefusedAsync(Join(file, [.. frames[..i], frames[i], .. frames[i..]]), secret, $"frame {i} twice");
                await ShouldBeRefusedAsync(Join(file, [.. frames[..i], others[i], .. frames[(i + 1)..]]), secret, $"frame {i} of another");
            }
        }
    }

    [Fact]
    public async Task AnotherSecretOpensNothing()
    {
        var file = await WriteAsync(Passphrase, [1], [2]);
        await ShouldBeRefusedAsync(file, null, "no passphrase");
        await ShouldBeRefusedAsync(file, Key, "a key");
        (await ShouldBeRefusedAsync(file, new SavedSecret(SavedProtection.Passphrase, "wrong"u8.ToArray()), "another")).ShouldContain("passphrase");
        Should.Throw<InvalidDataException>(() => SavedSecret.Check(new SavedSecret(SavedProtection.Key, new byte[31])));
        Should.Throw<InvalidDataException>(() => SavedSecret.Check(new SavedSecret(SavedProtection.Passphrase, [])));
    }

    [Fact]
    public async Task LaterFormatIsNamed()
    {
        var file = await WriteAsync(null, [1], [2]);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(8), 2);
        SHA256.HashData(file.AsSpan(0, 64), file.AsSpan(64, 32));
        (await ShouldBeRefusedAsync(file, null, "2.0")).ShouldContain("2.0");
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(8), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(10), 1);
        SHA256.HashData(file.AsSpan(0, 64), file.AsSpan(64, 32));
        (await ShouldBeRefusedAsync(file, null, "1.1")).ShouldContain("1.1");
    }

    /// <summary>Frames whose tags are right, as whoever makes a file can make them.</summary>
    [Fact]
    public async Task ForgedFilesAreRefusedWithinBoundedMemory()
    {
        var random = new Random(4711);
        var before = GC.GetTotalAllocatedBytes();
        for (var i = 0; i < 500; i++)
        {
            using var forged = new MemoryStream();
            var header = SavedFormat.MakeHeader(SavedProtection.None, new byte[16]);
            forged.Write(header);
            using var seal = new FrameSeal(header, null);
            for (var frame = 0; frame < 6; frame++)
            {
                var content = new byte[random.Next(0, 60)];
                random.NextBytes(content);
                var head = new byte[SavedFormat.FrameHeaderBytes];
                head[0] = (byte)random.Next(0, 6);
                head[1] = (byte)random.Next(0, 3);
                BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(2), (ushort)random.Next(0, 3));
                BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(4), random.Next(3) == 0 ? random.Next() : content.Length);
                BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), random.Next(3) == 0 ? random.Next(-10, int.MaxValue) : content.Length + random.Next(2));
                var tag = new byte[32];
                seal.Seal(head, content, tag);
                forged.Write([.. head, .. content, .. tag]);
            }

            await ShouldBeRefusedAsync(forged.ToArray(), null, $"forgery {i}");
        }

        // Two buffers of a frame each for every file, and nothing that a length in it has asked for.
        (GC.GetTotalAllocatedBytes() - before).ShouldBeLessThan(500L * (3 << 20));
    }

    [Theory]
    [InlineData("""{"saved_at":"2026-01-01T00:00:00Z"}""")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"saved_at":"2026-01-01T00:00:00Z","container":null,"host":null}""")]
    public async Task ManifestThatIsNoneIsRefused(string json)
    {
        using var file = new MemoryStream();
        using (var writer = new SavedFileWriter(file, null))
        {
            await writer.WriteAsync(SavedPart.Manifest, (s, t) => s.WriteAsync(Encoding.UTF8.GetBytes(json), t).AsTask(), TestContext.Current.CancellationToken);
            await SavedFile.WriteSettingsAsync(writer, new SavedSettings([]), TestContext.Current.CancellationToken);
            await writer.CompleteAsync(TestContext.Current.CancellationToken);
        }

        await ShouldBeRefusedAsync(file.ToArray(), null, json);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a b")]
    [InlineData("")]
    public async Task ManifestWithAPathForANameIsRefused(string name) =>
        (await ShouldBeRefusedAsync(await WriteAsync(null, [1], [2], name), null, name)).ShouldContain("manifest");

    [Fact]
    public async Task EndlessManifestIsRefused()
    {
        using var file = new MemoryStream();
        using (var writer = new SavedFileWriter(file, null))
        {
            await writer.WriteAsync(SavedPart.Manifest, (s, t) => s.WriteAsync(new byte[SavedFormat.MaxJsonBytes + 1], t).AsTask(), TestContext.Current.CancellationToken);
            await writer.CompleteAsync(TestContext.Current.CancellationToken);
        }

        (await ShouldBeRefusedAsync(file.ToArray(), null, "long")).ShouldContain("longer");
    }

    /// <summary>A file made by another program from the format's description: what describes it is right, and every later release of the same major version has to read it.</summary>
    [Fact]
    public async Task ReadsTheFirstFormat()
    {
        await using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Saving", "Recorded", "format-1.0.ctm"));
        var saved = await SavedFile.VerifyAsync(file, null, TestContext.Current.CancellationToken);
        saved.Manifest.Container.Name.ShouldBe("web");
        saved.Parts.Select(p => (p.Part, p.Bytes)).ShouldContain((SavedPart.Pages, 5000));
        saved.Settings.RestartPolicy["Name"]!.GetValue<string>().ShouldBe("always");
    }

    internal static async Task<byte[]> WriteAsync(SavedSecret? secret, byte[] pages, byte[] files, string name = "web")
    {
        using var file = new MemoryStream();
        using var writer = new SavedFileWriter(file, secret);
        var cancellationToken = TestContext.Current.CancellationToken;
        await SavedFile.WriteManifestAsync(writer, new SavedManifest(DateTimeOffset.UnixEpoch, Samples.Manifest() with { Name = name }, Samples.Facts("h1")), cancellationToken);
        await writer.WriteAsync(SavedPart.Files, (s, t) => s.WriteAsync(files, t).AsTask(), cancellationToken);
        await writer.WriteAsync(SavedPart.Pages, async (s, t) =>
        {
            // In pieces, as copiers write.
            for (var i = 0; i < pages.Length; i += 100_000)
            {
                await s.WriteAsync(pages.AsMemory(i, Math.Min(100_000, pages.Length - i)), t);
            }
        }, cancellationToken);
        await writer.WriteAsync(SavedPart.Checkpoint, (_, _) => Task.CompletedTask, cancellationToken);
        await SavedFile.WriteSettingsAsync(writer, new SavedSettings(new JsonObject { ["Name"] = "always" }), cancellationToken);
        await writer.CompleteAsync(cancellationToken);
        return file.ToArray();
    }

    private static SavedSecret? SecretOf(SavedProtection protection) => protection switch
    {
        SavedProtection.Passphrase => Passphrase,
        SavedProtection.Key => Key,
        _ => null,
    };

    private static async Task<string> ShouldBeRefusedAsync(byte[] file, SavedSecret? secret, string what)
    {
        try
        {
            await SavedFile.VerifyAsync(new MemoryStream(file), secret, TestContext.Current.CancellationToken);
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }

        throw new ShouldAssertException($"accepted: {what}");
    }

    private static List<byte[]> FramesOf(byte[] file, int tagBytes)
    {
        var frames = new List<byte[]>();
        for (var at = SavedFormat.HeaderBytes; at < file.Length;)
        {
            var length = SavedFormat.FrameHeaderBytes + BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at + 4)) + tagBytes;
            frames.Add(file[at..(at + length)]);
            at += length;
        }

        return frames;
    }

    private static byte[] Join(byte[] file, IEnumerable<byte[]> frames) => [.. file[..SavedFormat.HeaderBytes], .. frames.SelectMany(f => f)];
}
