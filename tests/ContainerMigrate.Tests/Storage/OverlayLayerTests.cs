using System.Diagnostics;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Real overlays: what a container sees is the same over the copied upper directory.</summary>
public sealed class OverlayLayerTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _lower;
    private readonly List<string> _mounted = [];

    public OverlayLayerTests()
    {
        TestTree.RequireRoot();
        _lower = _directory.Make("lower");
        foreach (var name in (string[])["etc/passwd", "etc/group", "etc/deep/file", "usr/bin/tool", "usr/bin/other", "var/log/old", "opt/app/a", "opt/app/b"])
        {
            Directory.CreateDirectory(Path.Combine(_lower, Path.GetDirectoryName(name)!));
            File.WriteAllText(Path.Combine(_lower, name), $"lower {name}");
        }
    }

    public void Dispose()
    {
        foreach (var mounted in _mounted)
        {
            Run("umount", mounted);
        }

        _directory.Dispose();
    }

    [Theory]
    [InlineData("index=off")]
    [InlineData("index=off,redirect_dir=on")]
    [InlineData("index=off,redirect_dir=on,metacopy=on")]
    [InlineData("index=on")]
    public async Task TheMergedTreeIsTheSame(string options)
    {
        var sourceUpper = _directory.Make("source-upper");
        var source = Mount("source", sourceUpper, options);
        Change(source, options);
        var before = TreeDigest.Of(source, withAccessTimes: false);
        before.ShouldContain("new");

        var targetUpper = _directory.Make("target-upper");
        using var stream = new MemoryStream();
        var cancellationToken = TestContext.Current.CancellationToken;
        await new DirectoryCopier().SendAsync(sourceUpper, stream, progress: null, cancellationToken);
        stream.Position = 0;
        await new DirectoryCopier().ReceiveAsync(targetUpper, stream, long.MaxValue, cancellationToken);

        var received = TreeDigest.Of(targetUpper, withAccessTimes: false);
        var target = Mount("target", targetUpper, options);

        TreeDigest.Differences(before, TreeDigest.Of(target, withAccessTimes: false)).ShouldBeEmpty();
        TreeDigest.Of(sourceUpper).ShouldContain("trusted.overlay.origin", customMessage: "the source has what must not travel");
        received.ShouldNotContain("trusted.overlay.origin");
        received.ShouldContain("trusted.overlay.opaque=79");
        received.ShouldContain("device=0:0");
        received.Contains("trusted.overlay.redirect", StringComparison.Ordinal).ShouldBe(options.Contains("redirect_dir", StringComparison.Ordinal));
        received.Contains("trusted.overlay.metacopy", StringComparison.Ordinal).ShouldBe(options.Contains("metacopy", StringComparison.Ordinal));
    }

    [Fact]
    public void WhiteoutsAreCharacterDevicesZeroZero()
    {
        OverlayLayer.IsWhiteout(new TreeAttributes(TreeAttributes.CharacterDevice, 0, 0, default, default), 0, 0).ShouldBeTrue();
        OverlayLayer.IsWhiteout(new TreeAttributes(TreeAttributes.CharacterDevice, 0, 0, default, default), 1, 3).ShouldBeFalse();
        OverlayLayer.IsWhiteout(new TreeAttributes(TreeAttributes.BlockDevice, 0, 0, default, default), 0, 0).ShouldBeFalse();
    }

    /// <summary>What containers do: change, delete, replace, rename, link, change the mode only.</summary>
    private static void Change(string root, string options)
    {
        File.AppendAllText(Path.Combine(root, "etc/passwd"), " changed");
        File.Delete(Path.Combine(root, "etc/group"));
        File.Delete(Path.Combine(root, "var/log/old"));
        Directory.Delete(Path.Combine(root, "etc/deep"), recursive: true);
        Directory.CreateDirectory(Path.Combine(root, "etc/deep"));
        File.WriteAllText(Path.Combine(root, "etc/deep/new"), "in an opaque directory");
        File.SetUnixFileMode(Path.Combine(root, "usr/bin/tool"), UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.SetUser);
        File.WriteAllText(Path.Combine(root, "new"), "new");
        new TestTree(root).AddLink("usr/bin/new-2", "new");
        if (options.Contains("redirect_dir=on", StringComparison.Ordinal))
        {
            // Without redirect_dir the kernel answers EXDEV, and mv copies.
            Run("mv", Path.Combine(root, "opt/app"), Path.Combine(root, "opt/renamed"));
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}");
    }

    private string Mount(string name, string upper, string options)
    {
        var merged = _directory.Make(name);
        Run("mount", "-t", "overlay", "overlay", "-o", $"lowerdir={_lower},upperdir={upper},workdir={_directory.Make(name + "-work")},{options}", merged);
        _mounted.Add(merged);
        return merged;
    }
}
