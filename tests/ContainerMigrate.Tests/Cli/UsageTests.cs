using System.CommandLine;
using ContainerMigrate.Cli;
using ContainerMigrate.Cli.Commands;
using ContainerMigrate.Cli.Following;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Cli;

public sealed class UsageTests
{
    public static TheoryData<string> Verbs { get; } = [.. Commands(Root()).Where(c => c is not RootCommand && c.Name != "list").Select(PathOf)];

    [Theory]
    [InlineData("foo", "there is no command 'foo'")]
    [InlineData("hosts foo", "there is no command 'foo'")]
    [InlineData("migrate web", "Required argument 'HOST' missing for command: 'migrate'.")]
    [InlineData("migrate web h2 --mode fast", "there is no mode 'fast'; the modes are auto, precopy, postcopy, stop-and-copy and offline")]
    [InlineData("migrate web h2 --on-stall wait", "there is no action 'wait'; the actions are accept, abort, throttle and postcopy")]
    [InlineData("migrate web h2 --deadline 5", "--deadline takes a number with a unit: ms, s, m or h (500ms, 10s, 1m30s), not '5'")]
    public async Task MistakesAreOneLineAndExitCodeTwo(string arguments, string message)
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), arguments.Split(' '));

        run.ExitCode.ShouldBe(2);
        run.Output.ShouldBe("");
        run.ErrorLines.Length.ShouldBe(2);
        run.ErrorLines[0].ShouldBe($"ctmigrate: {message}");
        run.ErrorLines[1].ShouldStartWith("  next: ctmigrate");
    }

    [Fact]
    public async Task AnUnknownCheckIsRefusedBeforeAnythingIsAsked()
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), "check", "web", "h2", "--skip", "cpu,ram");

        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldStartWith("ctmigrate: there is no check 'ram'; the checks are state, criu,");
    }

    [Theory]
    [InlineData("data")]
    [InlineData("data=same")]
    [InlineData("=copy")]
    public async Task AWordAboutAVolumeIsANameAndAnAction(string word)
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), "migrate", "web", "h2", "--volume", word);

        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldStartWith("ctmigrate: --volume takes NAME=copy|shared|empty|skip|replace");
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task EveryVerbHasHelpWithExamples(string verb)
    {
        var run = await CommandRun.OfAsync("", new Interrupts(), [.. verb.Split(' '), "--help"]);

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain($"Examples:\n  ctmigrate {verb.Split(' ')[0]}");
    }

    [Fact]
    public async Task AskedForNothingItShowsTheHelp()
    {
        var run = await CommandRun.OfAsync("", new Interrupts());

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("Exit codes:");
    }

    [Fact]
    public async Task TheVersionIsOneLine() =>
        (await CommandRun.OfAsync("", new Interrupts(), "--version")).Output.ShouldMatch(@"^ctmigrate \d+\.\d+\.\d+\n$");

    [Theory]
    [InlineData("ctmigrate.bash")]
    [InlineData("_ctmigrate")]
    public void CompletionKnowsEveryVerbAndOption(string file)
    {
        var words = File.ReadAllText(Path.Combine(RepositoryRoot(), "packaging", "completions", file))
            .Split([' ', '\n', '\t', '\'', '"', '(', ')', '[', ']', '{', '}', ',', ':', '=', '|', ';', '*', '\\'], StringSplitOptions.RemoveEmptyEntries)
            .ToHashSet();
        var expected = Commands(Root())
            .SelectMany(command => command.Options.Where(o => !o.Name.Contains('?', StringComparison.Ordinal)).Select(o => o.Name).Append(command.Name))
            .Where(name => name != Root().Name)
            .Distinct();

        expected.Except(words).ShouldBeEmpty();
    }

    private static RootCommand Root() =>
        CommandLine.Build(new CommandContext(
            new StandardStreams { Input = TextReader.Null, Output = TextWriter.Null, Error = TextWriter.Null }, TimeProvider.System, () => new Interrupts()));

    private static IEnumerable<Command> Commands(Command command) => command.Subcommands.SelectMany(Commands).Prepend(command);

    private static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent and not RootCommand ? $"{PathOf(parent)} {command.Name}" : command.Name;

    private static string RepositoryRoot()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "ContainerMigrate.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("the tests do not run inside the repository");
        }

        return directory;
    }
}
