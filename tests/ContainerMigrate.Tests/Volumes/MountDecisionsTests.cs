using ContainerMigrate.Checks;
using ContainerMigrate.Containers;
using ContainerMigrate.Tests.Migration;
using ContainerMigrate.Volumes;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Volumes;

public sealed class MountDecisionsTests
{
    private static readonly MountDescription Volume = new("volume", "data", "/data", false) { Driver = "local" };
    private static readonly MountDescription Bind = new("bind", "/srv/web", "/web", false);
    private static readonly MountDescription ReadOnly = new("bind", "/etc/tls", "/tls", true) { Fingerprint = new string('a', 64) };
    private static readonly IReadOnlyDictionary<string, string> Nobody = new Dictionary<string, string>();

    [Theory]
    [InlineData("data=copy", "data", "copy")]
    [InlineData("/a=b=shared", "/a=b", "shared")]
    [InlineData("data=same", null, null)]
    [InlineData("data=auto", null, null)]
    [InlineData("data", null, null)]
    [InlineData("=copy", null, null)]
    [InlineData("", null, null)]
    public void WordIsANameAndAnAction(string text, string? name, string? action)
    {
        var word = VolumeWord.Parse(text);
        (word?.Name, word?.Action).ShouldBe((name, action));
    }

    [Fact]
    public void WordsMeanVolumesByNameAndMountsByPathWhereverThePlaceIsMounted()
    {
        var again = Volume with { Target = "/again" };

        ActionsOf(MountDecisions.Begin([Volume, again, Bind, new("tmpfs", "", "/tmp", false)], ["/again=skip", "/web=empty"])).ShouldBe(["skip", "skip", "empty", "auto"]);
        ActionsOf(MountDecisions.Begin([Volume, Bind], ["/srv/web=replace"])).ShouldBe(["auto", "replace"]);
        Should.Throw<ArgumentException>(() => MountDecisions.Begin([Volume, Bind], ["other=copy"])).Message.ShouldContain("it has data, /web");
        Should.Throw<ArgumentException>(() => MountDecisions.Begin([], ["other=copy"])).Message.ShouldContain("it has none");
    }

    [Fact]
    public void WhatIsLeftOpenGoesAlongUnlessItIsThere()
    {
        ActionsOf(MountDecisions.Complete([Volume, Bind, ReadOnly], [Fact(Volume), Fact(Bind), Fact(ReadOnly)])).ShouldBe(["copy", "copy", "copy"]);
        ActionsOf(MountDecisions.Complete([Volume, Bind, ReadOnly], [Fact(Volume) with { SeesToken = true }, Fact(Bind), Fact(ReadOnly) with { IsIdentical = true }])).ShouldBe(["shared", "copy", "same"]);
        ActionsOf(MountDecisions.Complete([Volume with { Action = VolumeActions.Copy }], [Fact(Volume) with { SeesToken = true }])).ShouldBe(["copy"], "the operator's word");
        ActionsOf(MountDecisions.Complete([ReadOnly with { Fingerprint = "" }], [Fact(ReadOnly) with { IsIdentical = true }])).ShouldBe(["copy"], "nobody has compared");
        ActionsOf(MountDecisions.Complete([Bind with { Content = PlaceKind.Other }], [Fact(Bind)])).ShouldBe(["auto"]);
    }

    [Fact]
    public void PlaceThatIsWrittenElsewhereIsNotTheSame()
    {
        var written = ReadOnly with { Target = "/rw", ReadOnly = false, Fingerprint = "" };

        ActionsOf(MountDecisions.Complete([ReadOnly, written], [Fact(ReadOnly) with { IsIdentical = true }, Fact(written)])).ShouldBe(["copy", "copy"]);
    }

    [Fact]
    public void SourceSaysWhatCannotGoAlongAndTheWayOut()
    {
        Check(Volume with { Driver = "nfs", Action = VolumeActions.Copy }).Single().ShouldSatisfyAllConditions(f => f.Message.ShouldContain("driver nfs"), f => f.Hint!.ShouldContain("--volume data=shared"));
        Check(Volume with { HasDriverOptions = true, Action = VolumeActions.Copy }).Single().Message.ShouldContain("with options");
        Check(Volume with { HasDriverOptions = true, Action = VolumeActions.Shared }).ShouldBeEmpty();
        Check(Bind with { Content = PlaceKind.Other }).Single().Message.ShouldContain("no directory or file");
        Check(Bind with { Content = PlaceKind.File, Action = VolumeActions.Copy }).ShouldBeEmpty();
        Check(Bind with { Content = PlaceKind.File, Action = VolumeActions.Replace }).Single().Message.ShouldContain("'replace' is for directories");
        Check(new MountDescription("image", "x", "/x", true)).Single().Message.ShouldContain("kind 'image'");
        Check(Bind with { Action = VolumeActions.Copy }, Bind with { Source = "/srv/web/inner", Target = "/inner", Action = VolumeActions.Copy }).Single().Message.ShouldContain("/srv/web/inner lies within /srv/web");
        var users = new Dictionary<string, string> { ["/data"] = "other" };
        MountDecisions.Check([Volume with { Action = VolumeActions.Copy }], users).Single().Message.ShouldContain("in use by container other");
        MountDecisions.Check([Volume with { Action = VolumeActions.Shared }], users).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(PlaceKind.Missing, null)]
    [InlineData(PlaceKind.EmptyDirectory, "another one")]
    [InlineData(PlaceKind.File, "another one")]
    public void SingleFileGoesOnlyWhereNothingIs(PlaceKind kind, string? problem)
    {
        var mount = Bind with { Content = PlaceKind.File };
        ActionsOf(MountDecisions.Complete([mount], [Fact(mount) with { Kind = kind }])).ShouldBe(["copy"]);
        mount = mount with { Action = VolumeActions.Copy };
        Compare(mount, Fact(mount) with { Kind = kind }).Select(f => f.Message.Contains(problem ?? "", StringComparison.Ordinal)).ShouldBe(problem is null ? [] : [true]);
    }

    [Theory]
    [InlineData("copy", PlaceKind.Missing, null)]
    [InlineData("copy", PlaceKind.EmptyDirectory, null)]
    [InlineData("copy", PlaceKind.Directory, "not replaced")]
    [InlineData("copy", PlaceKind.File, "not replaced")]
    [InlineData("empty", PlaceKind.Directory, "not replaced")]
    [InlineData("replace", PlaceKind.Directory, null)]
    [InlineData("replace", PlaceKind.Other, "no directory")]
    [InlineData("skip", PlaceKind.Missing, "there is no")]
    [InlineData("skip", PlaceKind.Directory, null)]
    [InlineData("shared", PlaceKind.Missing, "there is no")]
    [InlineData("shared", PlaceKind.Directory, null)]
    [InlineData("same", PlaceKind.Directory, "not the same")]
    public void DestinationSaysWhatIsInTheWay(string action, PlaceKind kind, string? problem)
    {
        var mount = Bind with { Action = action };
        Problems(mount, Fact(mount) with { Kind = kind }).ShouldBe(problem is null ? 0 : 1, problem ?? "");
        if (problem is not null)
        {
            Compare(mount, Fact(mount) with { Kind = kind }).Single().Message.ShouldContain(problem);
        }
    }

    [Fact]
    public void PlaceThatIsNotAllowedIsNotTakenWhateverTheAction()
    {
        foreach (var action in VolumeActions.Words)
        {
            var mount = Bind with { Action = action };
            Compare(mount, Fact(mount) with { IsAllowed = false, Kind = PlaceKind.EmptyDirectory }).ShouldContain(f => f.Message.Contains("may not use /srv/web") && f.Hint!.Contains("bind_roots"));
        }
    }

    [Fact]
    public void OnlyAReadOnlyPlaceIsTheSame()
    {
        var fact = Fact(ReadOnly) with { Kind = PlaceKind.Directory, IsAllowed = false, IsIdentical = true };

        Compare(ReadOnly with { Action = VolumeActions.Same }, fact).ShouldBeEmpty();
        Compare(ReadOnly with { Action = VolumeActions.Same, ReadOnly = false }, fact).ShouldNotBeEmpty();
        Compare(ReadOnly with { Action = VolumeActions.Same, ReadOnly = false }, fact with { IsAllowed = true }).ShouldNotBeEmpty();
    }

    [Fact]
    public void MountOfWhichTheDestinationSaysNothingIsRefused() =>
        MountComparison.Compare(Samples.Manifest() with { Mounts = [Bind with { Action = VolumeActions.Copy }] }, [], "h2").Single().Message.ShouldContain("says nothing");

    [Fact]
    public void StorageThatDoesNotShowTheTokenIsNotShared() =>
        Compare(Bind with { Action = VolumeActions.Shared }, Fact(Bind) with { Kind = PlaceKind.Directory, SeesToken = false }).Single().Message.ShouldContain("is not the one of the source");

    [Fact]
    public void RoomIsThatOfAllOnOneFileSystem()
    {
        var (one, other) = (Bind with { Action = VolumeActions.Copy, Bytes = 60 << 20, Entries = 10 }, Volume with { Action = VolumeActions.Copy, Bytes = 60 << 20, Entries = 10 });
        MountFacts Place(MountDescription mount, string fileSystem) => Fact(mount) with { FileSystem = fileSystem, FreeBytes = 100 << 20, FreeEntries = 15 };

        Findings(Place(one, "8:1"), Place(other, "8:2")).ShouldBeEmpty();
        var together = Findings(Place(one, "8:1"), Place(other, "8:1"));
        together.ShouldAllBe(f => f.Check == CheckNames.Disk && f.Host == "h2");
        together.Select(f => f.Message[..16]).ShouldBe(["not enough room ", "not enough inode"]);

        List<CheckFinding> Findings(params MountFacts[] facts) => [.. MountComparison.Compare(Samples.Manifest() with { Mounts = [one, other] }, facts, "h2")];
    }

    private static List<CheckFinding> Check(params MountDescription[] mounts) => [.. MountDecisions.Check(mounts, Nobody)];

    private static List<CheckFinding> Compare(MountDescription mount, MountFacts fact) => [.. MountComparison.Compare(Samples.Manifest() with { Mounts = [mount] }, [fact], "h2")];

    private static int Problems(MountDescription mount, MountFacts fact) => Compare(mount, fact).Count;

    private static MountFacts Fact(MountDescription mount) =>
        new() { Target = mount.Target, Kind = PlaceKind.Missing, IsAllowed = true, FileSystem = "8:1", FreeBytes = 1L << 40, FreeEntries = 1 << 20 };

    private static IEnumerable<string> ActionsOf(IEnumerable<MountDescription> mounts) => mounts.Select(m => m.Action);
}
