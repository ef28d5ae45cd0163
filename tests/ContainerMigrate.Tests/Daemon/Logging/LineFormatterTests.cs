using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Logging;
using Microsoft.Extensions.Logging;
using Serilog.Extensions.Logging;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Logging;

public sealed class LineFormatterTests
{
    [Fact]
    public void EveryLineOfAMigrationCarriesItsIdWhoeverLogsIt()
    {
        var lines = LinesOf(factory =>
        {
            var session = factory.CreateLogger("ContainerMigrate.Migration.SourceMigration");
            var adapter = factory.CreateLogger("ContainerMigrate.Linux.Criu.CriuCheckpoints");
            using (session.BeginMigration("m-17"))
            {
                Log(adapter, "dumped");
            }

            Log(adapter, "idle");
        });

        lines[0].ShouldEndWith(" INFO  [m-17] CriuCheckpoints: dumped");
        lines[1].ShouldEndWith(" INFO  CriuCheckpoints: idle");
    }

    [Fact]
    public void TextOfAStrangerStaysInItsLine()
    {
        var lines = LinesOf(factory => Log(factory.CreateLogger("X"), "evil\n2026-01-01 FATAL\u001b[2J"));

        lines.ShouldHaveSingleItem().ShouldEndWith("X: evil\\n2026-01-01 FATAL?[2J");
    }

    [Fact]
    public void ExceptionFollowsIndented()
    {
        var lines = LinesOf(factory => LogError(factory.CreateLogger("X"), new InvalidOperationException("broken\nbadly")));

        lines[0].ShouldEndWith("ERROR X: failed");
        lines.Skip(1).ShouldAllBe(line => line.StartsWith("    ", StringComparison.Ordinal));
        lines[1].ShouldContain("broken");
    }

    [Fact]
    public void JournalGetsThePriorityInFrontOfEachLine()
    {
        using var output = new StringWriter();
        var formatter = new LineFormatter(forJournal: true);
        using (var logger = new Serilog.LoggerConfiguration().WriteTo.Sink(new WriterSink(formatter, output)).CreateLogger())
        {
            logger.Error(new InvalidOperationException("broken"), "failed");
            logger.Warning("slow");
        }

        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.ShouldBe(["<3>failed", "<3>    System.InvalidOperationException: broken", "<4>slow"]);
    }

    [Fact]
    public void FileIsNotForEverybodyToRead()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("log/ctmigrated.log");
        DaemonLogging.Create(new DaemonOptions { LogFile = file }).Dispose();

        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
    }

    [Fact]
    public void FileThatCannotBeWrittenStopsTheStart()
    {
        using var directory = new TemporaryDirectory();
        directory.Write("log", "in the way");

        Should.Throw<ConfigurationException>(() => DaemonLogging.Create(new DaemonOptions { LogFile = directory.File("log/ctmigrated.log") }))
            .Message.ShouldContain("log_file");
    }

    private static void Log(ILogger logger, string text) => logger.LogInformation("{Text}", text);

    private static void LogError(ILogger logger, Exception exception) => logger.LogError(exception, "failed");

    private static string[] LinesOf(Action<ILoggerFactory> log)
    {
        using var output = new StringWriter();
        using (var logger = new Serilog.LoggerConfiguration().WriteTo.Sink(new WriterSink(new LineFormatter(forJournal: false), output)).CreateLogger())
        using (var factory = LoggerFactory.Create(builder => builder.AddProvider(new SerilogLoggerProvider(logger))))
        {
            log(factory);
        }

        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed class WriterSink(LineFormatter formatter, TextWriter output) : Serilog.Core.ILogEventSink
    {
        public void Emit(Serilog.Events.LogEvent logEvent) => formatter.Format(logEvent, output);
    }
}
