using System.Diagnostics;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class DirectoryCleanerTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _full;

    public DirectoryCleanerTests()
    {
        _full = _directory.Make("full");
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void EverythingGoesAndTheDirectoryStays()
    {
        TestTree.RequireRoot();
        TestTree.Build(_full);
        new TestTree(_full).AddDeepDirectories(600, new string('d', 100), ["file"], link: null);

        DirectoryCleaner.Empty(_full, TestContext.Current.CancellationToken).ShouldBeGreaterThan(600);

        Directory.GetFileSystemEntries(_full).ShouldBeEmpty();
    }

    [Fact]
    public void ASymlinkIsRemovedNotFollowed()
    {
        var outside = _directory.Make("outside");
        File.WriteAllText(Path.Combine(outside, "precious"), "");
        File.CreateSymbolicLink(Path.Combine(_full, "link"), outside);

        DirectoryCleaner.Empty(_full, TestContext.Current.CancellationToken).ShouldBe(1);

        File.Exists(Path.Combine(outside, "precious")).ShouldBeTrue();
    }

    [Fact]
    public void WhatIsMountedIsLeftAloneAndSaid()
    {
        TestTree.RequireRoot();
        var mounted = Directory.CreateDirectory(Path.Combine(_full, "mounted")).FullName;
        Process.Start("mount", ["-t", "tmpfs", "none", mounted]).WaitForExit();
        try
        {
            File.WriteAllText(Path.Combine(mounted, "precious"), "");
            var e = Should.Throw<IOException>(() => DirectoryCleaner.Empty(_full, TestContext.Current.CancellationToken));
            e.Message.ShouldContain($"remove {mounted}");
            File.Exists(Path.Combine(mounted, "precious")).ShouldBeTrue();
        }
        finally
        {
            Process.Start("umount", mounted).WaitForExit();
        }
    }
}
