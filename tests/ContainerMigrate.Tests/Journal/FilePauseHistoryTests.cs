using ContainerMigrate.Linux.Journal;
using ContainerMigrate.Migration;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Journal;

public sealed class FilePauseHistoryTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("ctm-").FullName;
    private readonly Lines _log = new();

    private string File => Path.Combine(_state, "pauses", "h2.docker.json");

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public void KeepsTheLastOnesForEachHostAndRuntime()
    {
        for (var i = 1; i <= FilePauseHistory.Kept + 3; i++)
        {
            Open().Add("h2", "docker", Pause(i));
        }

        Open().Add("h3", "docker", Pause(1));
        Open().Add("h2", "runc", Pause(2));

        Open().Read("h2", "docker").Select(s => s.PauseMs).ShouldBe(Enumerable.Range(4, FilePauseHistory.Kept).Select(i => (double)i));
        Open().Read("h2", "docker")[0].Parts.ShouldBe(Pause(4).Parts);
        Open().Read("h2", "runc").ShouldHaveSingleItem().PauseMs.ShouldBe(2);
        Open().Read("h4", "docker").ShouldBeEmpty();
        _log.ShouldBeEmpty();
        System.IO.File.GetUnixFileMode(File).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[{")]
    [InlineData("null")]
    [InlineData("[null]")]
    [InlineData("{}")]
    [InlineData("""[{"mode":"precopy","pause_ms":-1}]""")]
    [InlineData("""[{"mode":"precopy","pause_ms":1e300}]""")]
    [InlineData("""[{"mode":"precopy","pause_ms":100,"memory_bytes":-5}]""")]
    [InlineData("""[{"mode":"precopy","pause_ms":100,"memory_bytes":9223372036854775807}]""")]
    [InlineData("""[{"mode":"teleport","pause_ms":100}]""")]
    [InlineData("""[{"mode":null,"pause_ms":100}]""")]
    public void ADamagedFileIsReportedIgnoredAndReplaced(string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, content);

        Open().Read("h2", "docker").ShouldBeEmpty();
        _log.ShouldHaveSingleItem().ShouldContain(File);

        Open().Add("h2", "docker", Pause(7));
        Open().Read("h2", "docker").ShouldHaveSingleItem().PauseMs.ShouldBe(7);
    }

    [Fact]
    public void ALargeFileIsNotRead()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, new string(' ', 1 << 20) + "[]");

        Open().Read("h2", "docker").ShouldBeEmpty();
        _log.ShouldHaveSingleItem().ShouldContain("larger than");
    }

    [Fact]
    public void ADiskThatTakesNothingIsNoFailure()
    {
        System.IO.File.WriteAllText(Path.Combine(_state, "pauses"), "in the way");

        Open().Add("h2", "docker", Pause(1));

        _log.ShouldHaveSingleItem().ShouldContain("could not be written");
    }

    [Fact]
    public void NamesThatLeadElsewhereAreRefused() => Should.Throw<ArgumentException>(() => Open().Read("../h2", "docker"));

    private static PauseSample Pause(double milliseconds) => new()
    {
        Mode = MigrationModes.PreCopy, Processes = 2, MemoryBytes = 1 << 30, PauseMs = milliseconds, Parts = new Dictionary<string, double> { ["dump"] = milliseconds / 2 },
    };

    private FilePauseHistory Open() => new(_state, _log);

    private sealed class Lines : List<string>, ILogger<FilePauseHistory>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Add(formatter(state, exception));
    }
}
