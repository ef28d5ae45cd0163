using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class TextTests
{
    [Fact]
    public void WhatAPeerSentCannotDriveTheTerminal() =>
        OneLine.Of("no\nspace\tleft\e[2J\u009b5m on h2\n").ShouldBe("no space left?[2J?5m on h2");

    [Theory]
    [InlineData("web -> h2", 9, "web -> h2")]
    [InlineData("web -> h2", 6, "web -…")]
    [InlineData("web -> h2", 0, "")]
    public void LinesAreCutToFit(string text, int width, string expected) => OneLine.Fit(text, width).ShouldBe(expected);

    [Fact]
    public void FilesSoFarAreThoseOfAllRoundsAndWhatIsLeft()
    {
        var status = FakeDaemon.Status(ContainerMigrate.Migration.MigrationPhase.PreCopy) with
        {
            FileRounds = [new FileRound { Number = 1, Entries = 4000, SentBytes = 2L << 30 }, new FileRound { Number = 2, Entries = 100, SentBytes = 1 << 20 }],
        };

        MigrationText.FilesSoFar(status).ShouldBe("2.0 GiB, 4100 entries in 2 rounds");
        MigrationText.FilesSoFar(status with { FilesLeftBytes = 91 << 10 }).ShouldEndWith("in 2 rounds, 91 KiB left when last looked at");
    }

    [Fact]
    public void WhatIsKeptOfAFailureIsSaidInTheSentenceThatSaysWhatIsLeft()
    {
        var status = FakeDaemon.Status(ContainerMigrate.Migration.MigrationPhase.Aborted) with { DestinationState = "absent" };

        MigrationVerdict.Of(status).Describe(status).ShouldEndWith("; nothing is left on h2");
        status = status with { KeptBytes = 3 << 20 };
        MigrationVerdict.Of(status).Describe(status).ShouldEndWith("; nothing but 3.0 MiB of its files is kept on h2, for a day: the next attempt sends only the rest");
    }

    [Fact]
    public void LinesAreCutWithDotsWhereOnlyAsciiShows() => OneLine.Fit("container-with-a-name", 12, unicode: false).ShouldBe("container...");

    [Fact]
    public void FoldsBetweenWordsAndKeepsLongWordsWhole() =>
        Folding.Fold("look into /var/lib/ctmigrate/migrations/m1/restore.log for more", 24).ShouldBe(
        [
            "look into",
            "/var/lib/ctmigrate/migrations/m1/restore.log",
            "for more",
        ]);

    [Fact]
    public void TablesAlignTheirColumnsAndFoldTheLast()
    {
        var table = new TextTable();
        table.Add("error", "memory", "needs 1.2 GiB and 0.9 GiB is there\nnext: free some");
        table.Add("ok", "criu", "4.2.1");

        Written(table, width: 40).ShouldBe(
            """
            error  memory  needs 1.2 GiB and 0.9 GiB
                           is there
                           next: free some
            ok     criu    4.2.1

            """);
    }

    [Fact]
    public void TablesArePipedWithoutFoldingOrTrailingBlanks()
    {
        var table = new TextTable();
        table.Add("ok", "criu", new string('x', 200));
        table.Add("warning", "clock", "");

        Written(table, int.MaxValue).ShouldBe($"ok       criu   {new string('x', 200)}\nwarning  clock\n");
    }

    [Fact]
    public void ColoursDoNotShiftColumns()
    {
        var table = new TextTable(StatusColor.Of);
        table.Add("ok", "a");
        table.Add("error", "b");
        using var output = new StringWriter();

        table.Write(output, 80, colors: true);

        output.ToString().ShouldBe("\e[32mok\e[0m     a\n\e[31merror\e[0m  b\n");
    }

    private static string Written(TextTable table, int width)
    {
        using var output = new StringWriter();
        table.Write(output, width, colors: false);
        return output.ToString();
    }
}
