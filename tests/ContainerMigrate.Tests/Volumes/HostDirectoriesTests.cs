using ContainerMigrate.Linux.Volumes;
using ContainerMigrate.Tests.Storage;
using ContainerMigrate.Volumes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Volumes;

public sealed class HostDirectoriesTests : IDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly string _root;
    private readonly HostDirectories _directories;

    public HostDirectoriesTests()
    {
        _root = _directory.Make("root");
        _directories = new HostDirectories([_root]);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void SingleFileGetsItsPlaceAndLosesItAgain()
    {
        var claim = _directories.PlanFile(In("deep/down/file"), ".stage");
        var made = _directories.Make(claim);
        File.Exists(In("deep/down/file")).ShouldBeTrue();
        Should.Throw<InvalidDataException>(() => _directories.Arrived(made)).Message.ShouldContain("no file has arrived");
        File.CreateSymbolicLink(Path.Combine(made.Arrival, "file"), "/etc/passwd");
        Should.Throw<InvalidDataException>(() => _directories.Arrived(made));
        File.Delete(Path.Combine(made.Arrival, "file"));
        File.WriteAllText(Path.Combine(made.Arrival, "file"), "arrived");
        var arrived = _directories.Arrived(made);

        _directories.Place(arrived);

        File.ReadAllText(In("deep/down/file")).ShouldBe("arrived");
        _directories.Undo(arrived);
        Directory.Exists(In("deep")).ShouldBeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SingleFileOfSomebodyElseStays(bool noted)
    {
        var claim = _directories.PlanFile(In("file"), ".stage");
        var made = _directories.Make(claim);
        File.Delete(In("file"));
        File.WriteAllText(In("file"), "theirs");
        Should.Throw<IOException>(() => _directories.Place(made));

        _directories.Undo(noted ? made : claim);

        File.ReadAllText(In("file")).ShouldBe("theirs");
        Directory.Exists(In(".stage")).ShouldBeFalse();
        Should.Throw<IOException>(() => _directories.PlanFile(In("file"), ".stage"));
    }

    [Fact]
    public void SingleFileThatNobodyHasNotedIsRemoved()
    {
        var claim = _directories.PlanFile(In("file"), ".stage");
        _directories.Make(claim);
        _directories.Undo(claim);
        Directory.EnumerateFileSystemEntries(_root).ShouldBeEmpty();
    }

    [Fact]
    public void SaysWhatIsThere()
    {
        File.WriteAllText(In("file"), "");
        Directory.CreateDirectory(In("empty"));
        Directory.CreateDirectory(In("full/inner"));
        File.CreateSymbolicLink(In("link"), In("full"));

        Look("nothing/of/it").Kind.ShouldBe(PlaceKind.Missing);
        Look("file").Kind.ShouldBe(PlaceKind.File);
        Look("file/beyond").Kind.ShouldBe(PlaceKind.Missing);
        Look("empty").Kind.ShouldBe(PlaceKind.EmptyDirectory);
        Look("full").Kind.ShouldBe(PlaceKind.Directory);
        Look("link").Kind.ShouldBe(PlaceKind.Other);
        _directories.Look(In("link"), followLink: true).Kind.ShouldBe(PlaceKind.Directory);
        Look("nothing/of/it").FreeBytes.ShouldBeGreaterThan(0);
        Look("nothing").FileSystem.ShouldBe(Look("full").FileSystem);
    }

    [Theory]
    [InlineData("data", true)]
    [InlineData("deep/er/data", true)]
    [InlineData("inner", true)]
    [InlineData("", false)]
    [InlineData("link", false)]
    [InlineData("link/data", false)]
    [InlineData("dangling/data", false)]
    [InlineData("../root2/data", false)]
    public void OnlyWhatIsBeneathARootIsAllowed(string path, bool allowed)
    {
        Directory.CreateDirectory(In("inner"));
        File.CreateSymbolicLink(In("link"), "/etc");
        File.CreateSymbolicLink(In("dangling"), "/nowhere/at/all");

        _directories.Look(Path.GetFullPath(path, _root), followLink: false).IsAllowed.ShouldBe(allowed);
        new HostDirectories([]).Look(In(path), followLink: false).IsAllowed.ShouldBeFalse();
    }

    [Fact]
    public void WhatWasMadeGoesWithAllThatCameIntoIt()
    {
        Directory.CreateDirectory(In("there"));
        var planned = _directories.Plan(In("there/a/b/data"), asideName: null);
        planned.FirstMade.ShouldBe(In("there/a"));
        Directory.Exists(In("there/a")).ShouldBeFalse("nothing is made by planning");

        var made = _directories.Make(planned);
        Directory.CreateDirectory(In("there/a/b/data/x/y"));
        _directories.Undo(made);
        _directories.Undo(made);

        Directory.GetFileSystemEntries(In("there")).ShouldBeEmpty();
    }

    [Fact]
    public void WhatSomebodyElseHasMadeMeanwhileStays()
    {
        var made = _directories.Make(_directories.Plan(In("a/data"), asideName: null));
        File.WriteAllText(In("a/theirs"), "");
        Directory.Move(In("a/data"), In("moved"));
        Directory.CreateDirectory(In("a/data"));
        File.WriteAllText(In("a/data/theirs"), "");

        _directories.Undo(made);

        File.Exists(In("a/data/theirs")).ShouldBeTrue();
        File.Exists(In("a/theirs")).ShouldBeTrue();
    }

    [Fact]
    public void PlanThatWasNotCarriedOutUndoesNothing()
    {
        var planned = _directories.Plan(In("a/data"), asideName: null);
        Directory.CreateDirectory(In("a/data"));
        File.WriteAllText(In("a/data/theirs"), "");

        _directories.Undo(planned);

        File.Exists(In("a/data/theirs")).ShouldBeTrue();
        Should.Throw<IOException>(() => _directories.Make(planned)).Message.ShouldContain("File exists");
    }

    [Fact]
    public void EmptyDirectoryIsGivenBackAsItWas()
    {
        Directory.CreateDirectory(In("data"), UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        var claim = _directories.Make(_directories.Plan(In("data"), asideName: null));
        File.SetUnixFileMode(In("data"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(In("data/came"), "");

        _directories.Undo(claim);

        Directory.GetFileSystemEntries(In("data")).ShouldBeEmpty();
        File.GetUnixFileMode(In("data")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
    }

    [Fact]
    public void WhatIsThereIsPutAsideOnlyWhereThatWasAskedFor()
    {
        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data/old"), "");
        Should.Throw<IOException>(() => _directories.Plan(In("data"), asideName: null)).Message.ShouldContain("not an empty directory");

        var claim = _directories.Make(_directories.Plan(In("data"), ".aside"));
        File.WriteAllText(In("data/new"), "");
        _directories.Undo(claim);
        _directories.Undo(claim);
        Directory.GetFileSystemEntries(_root, "*", SearchOption.AllDirectories).ShouldBe([In("data"), In("data/old")], ignoreOrder: true);

        claim = _directories.Make(_directories.Plan(In("data"), ".aside"));
        File.WriteAllText(In("data/new"), "");
        _directories.Settle(claim);
        _directories.Settle(claim);
        Directory.GetFileSystemEntries(_root, "*", SearchOption.AllDirectories).ShouldBe([In("data"), In("data/new")], ignoreOrder: true);
    }

    [Fact]
    public void DaemonThatDiesBetweenPuttingAsideAndMakingLosesNothing()
    {
        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data/old"), "");
        var planned = _directories.Plan(In("data"), ".aside");
        Directory.Move(In("data"), planned.Aside);

        _directories.Undo(planned);

        File.Exists(In("data/old")).ShouldBeTrue();
    }

    [Fact]
    public void OnlyTheDirectoryThatWasMeantIsRemoved()
    {
        Directory.CreateDirectory(In("data/inner"));
        var claim = _directories.Identify(In("data")).ShouldNotBeNull();
        Directory.Move(In("data"), In("kept"));
        Directory.CreateDirectory(In("data/other"));

        _directories.Remove(claim);
        Directory.Exists(In("data/other")).ShouldBeTrue("another of that name");

        Directory.Delete(In("data"), recursive: true);
        Directory.Move(In("kept"), In("data"));
        _directories.Remove(claim);
        _directories.Remove(claim);
        Directory.GetFileSystemEntries(_root).ShouldBeEmpty();
        _directories.Identify("/etc").ShouldBeNull();
        _directories.Identify(In("none")).ShouldBeNull();
    }

    [Fact]
    public async Task TokenIsSeenWhereItWasLeft()
    {
        Directory.CreateDirectory(In("one"));
        Directory.CreateDirectory(In("other"));
        var token = _directories.LeaveToken(In("one")).ShouldNotBeNull();

        (await _directories.SeesTokenAsync(In("one"), token, Token)).ShouldBeTrue();
        (await _directories.SeesTokenAsync(In("other"), token, Token)).ShouldBeFalse();
        (await _directories.SeesTokenAsync(In("none"), token, Token)).ShouldBeFalse();
        _directories.RemoveToken(In("one"), token);
        Directory.GetFileSystemEntries(In("one")).ShouldBeEmpty();
        _directories.LeaveToken(In("none")).ShouldBeNull();
    }

    [Fact]
    public async Task FingerprintIsThatOfNamesModesAndContent()
    {
        foreach (var name in (string[])["one", "other"])
        {
            Directory.CreateDirectory(In(name + "/inner"));
            File.WriteAllText(In(name + "/inner/file"), "content");
            File.CreateSymbolicLink(In(name + "/link"), "inner");
        }

        var one = (await _directories.FingerprintAsync(In("one"), Token)).ShouldNotBeNull();
        (await _directories.FingerprintAsync(In("other"), Token)).ShouldBe(one);
        File.WriteAllText(In("other/inner/file"), "another");
        (await _directories.FingerprintAsync(In("other"), Token)).ShouldNotBe(one);
        File.WriteAllText(In("other/inner/file"), "content");
        File.SetUnixFileMode(In("other/inner/file"), UnixFileMode.UserRead);
        (await _directories.FingerprintAsync(In("other"), Token)).ShouldNotBe(one);

        Directory.CreateDirectory(In("empty"));
        (await _directories.FingerprintAsync(In("empty"), Token)).ShouldBeNull();
        (await _directories.FingerprintAsync(In("none"), Token)).ShouldBeNull();
        (await _directories.FingerprintAsync("/dev", Token)).ShouldBeNull("devices are not told by their names");
    }

    private HostPlace Look(string name) => _directories.Look(In(name), followLink: false);

    private string In(string name) => Path.Combine(_root, name);
}
