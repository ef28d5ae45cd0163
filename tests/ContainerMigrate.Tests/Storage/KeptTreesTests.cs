using System.Globalization;
using System.Security.Cryptography;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using ContainerMigrate.Tests.Migration;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>What has arrived of a migration that failed is of use to the next one, and to nobody else; whatever is in it, the copy comes out right.</summary>
public sealed class KeptTreesTests : IDisposable
{
    private const string Peer = "h1";
    private const string Container = "c0ffee";

    private readonly TestDirectory _directory = new();
    private readonly ManualTime _time = new();
    private readonly string _source;
    private readonly string _target;
    private readonly KeptTrees _kept;

    public KeptTreesTests()
    {
        TestTree.RequireRoot();
        _source = _directory.Make("source");
        _target = _directory.Make("target");
        _kept = new KeptTrees(_directory.Make("state"), _time, NullLogger<KeptTrees>.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private Dictionary<string, string> Trees => new() { ["/data"] = _target };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task OnlyTheRestIsSent()
    {
        foreach (var name in (string[])["a", "b", "c"])
        {
            await File.WriteAllBytesAsync(Path.Combine(_source, name), RandomNumberGenerator.GetBytes(4 << 20), Token);
        }

        // One is whole there, of one half has come, and of one it is something else by now.
        File.Copy(Path.Combine(_source, "a"), Path.Combine(_target, "a"));
        await File.WriteAllBytesAsync(Path.Combine(_target, "b"), (await File.ReadAllBytesAsync(Path.Combine(_source, "b"), Token))[..(2 << 20)], Token);
        await File.WriteAllBytesAsync(Path.Combine(_target, "c"), RandomNumberGenerator.GetBytes(5 << 20), Token);
        var sent = await KeepAndSendAsync();

        sent.ContentBytes.ShouldBe(6 << 20);
        _kept.Find(Peer, Container).ShouldBeNull();
        _kept.ReadAll().ShouldBeEmpty();
    }

    [Fact]
    public async Task WhateverIsThereTheCopyComesOutRight()
    {
        for (var seed = 1; seed <= 6; seed++)
        {
            new TreeEditor(_source, seed).Change(150);
            new TreeEditor(_target, seed + 100).Change(150);
            await File.WriteAllBytesAsync(Path.Combine(_target, "not-kept-for-nothing"), new byte[1], Token);
            await KeepAndSendAsync();
        }
    }

    [Fact]
    public async Task NamesThatAreOneFileAreNotTakenForTwo()
    {
        var content = RandomNumberGenerator.GetBytes(1 << 20);
        await File.WriteAllBytesAsync(Path.Combine(_target, "a"), content, Token);
        System.Diagnostics.Process.Start("ln", [Path.Combine(_target, "a"), Path.Combine(_target, "b")]).WaitForExit();
        await File.WriteAllBytesAsync(Path.Combine(_source, "a"), content, Token);
        await File.WriteAllBytesAsync(Path.Combine(_source, "b"), RandomNumberGenerator.GetBytes(1 << 20), Token);
        await KeepAndSendAsync();
    }

    [Fact]
    public async Task NobodyElseGetsIt()
    {
        await File.WriteAllTextAsync(Path.Combine(_target, "file"), "theirs", Token);
        _kept.Keep(Peer, Container, Trees)!.Bytes.ShouldBe(6);
        Directory.EnumerateFileSystemEntries(_target).ShouldBeEmpty();

        _kept.Find("h3", Container).ShouldBeNull();
        _kept.Find(Peer, "c0ffe").ShouldBeNull();
        _kept.Adopt("h3", Container, Trees).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(_target).ShouldBeEmpty();
        _kept.Adopt(Peer, Container, Trees).ShouldBe(["/data"]);
        (await File.ReadAllTextAsync(Path.Combine(_target, "file"), Token)).ShouldBe("theirs");
    }

    [Fact]
    public async Task ItIsRemovedInTheEnd()
    {
        await File.WriteAllTextAsync(Path.Combine(_target, "file"), "theirs", Token);
        _kept.Keep(Peer, Container, Trees).ShouldNotBeNull();
        _kept.Sweep();
        _kept.ReadAll().ShouldHaveSingleItem().Bytes.ShouldBe(6);

        _time.Advance(KeptTrees.Time);

        _kept.Find(Peer, Container).ShouldBeNull();
        _kept.Sweep();
        _kept.ReadAll().ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(_directory.Make("state")).ShouldBeEmpty();
    }

    [Fact]
    public void NothingIsKeptOfNothing() => _kept.Keep(Peer, Container, Trees).ShouldBeNull();

    [Theory]
    [InlineData("01 00000000 01000000 02 01 2f")] // "/"
    [InlineData("01 00000000 01000000 02 02 2e2e")]
    [InlineData("01 00000000 01000000 02 00")]
    [InlineData("01 00000000 02000000 02 01 62 02 01 61")] // not in order
    [InlineData("01 00000000 02000000 02 01 61 02 01 61")]
    [InlineData("01 00000000 ffffffff 02 01 61")]
    [InlineData("01 07000000 01000000 02 01 61")] // of no entry
    [InlineData("01 00000000 01000000 02 01 61 01 01000000 01000000 02 01 61")] // of a file
    [InlineData("02 00000000 0000")] // of a directory
    [InlineData("01 00000000 01000000 02 01 61 02 01000000 ffff")] // cut off
    [InlineData("09")]
    [InlineData("")]
    [InlineData("03 03")]
    public async Task AListThatLiesIsRefused(string hex)
    {
        using var stream = new MemoryStream();
        var blocks = new BlockWriter(Token);
        var bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        bytes.CopyTo(blocks.GetSpan(Math.Max(1, bytes.Length)));
        blocks.Advance(bytes.Length);
        blocks.Complete();
        await blocks.PumpAsync(stream, Token);
        stream.Position = 0;

        await Should.ThrowAsync<InvalidDataException>(() => Follow().TakeKeptAsync(stream, Token));
    }

    private async Task<CopyTotals> KeepAndSendAsync()
    {
        _kept.Keep(Peer, Container, Trees).ShouldNotBeNull();
        Directory.EnumerateFileSystemEntries(_target).ShouldBeEmpty();
        _kept.Adopt(Peer, Container, Trees).ShouldBe(["/data"]);
        using var list = new MemoryStream();
        await _kept.DescribeAsync(_target, list, Token);
        list.Position = 0;
        var tree = Follow();
        await tree.TakeKeptAsync(list, Token);
        await tree.ScanAsync(isLast: false, Token);
        using var stream = new MemoryStream();
        var sent = await tree.SendAsync(stream, progress: null, Token);
        stream.Position = 0;
        await new DirectoryCopier().ReceiveChangesAsync(_target, stream, long.MaxValue, Token);
        TreeDigest.Differences(TreeDigest.Of(_source, withAccessTimes: false), TreeDigest.Of(_target, withAccessTimes: false)).ShouldBeEmpty();
        return sent;
    }

    private FollowedTree Follow() => new(_source, tree =>
    {
        var cgroup = _directory.Make("cgroup");
        File.WriteAllText(Path.Combine(cgroup, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        return ContainerWriters.Find(tree, cgroup, Environment.ProcessId);
    });
}
