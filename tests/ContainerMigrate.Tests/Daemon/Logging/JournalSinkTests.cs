using System.Net.Sockets;
using System.Text;
using ContainerMigrate.Daemon.Logging;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Logging;

public sealed class JournalSinkTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Socket _journal = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public JournalSinkTests() => _journal.Bind(new UnixDomainSocketEndPoint(Path));

    private string Path => _directory.File("journal");

    public void Dispose()
    {
        _journal.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void LinesOfAMigrationCanBeFoundByItsIdAndPhase()
    {
        using var logger = Logger();
        logger.ForContext(MigrationLogScope.PropertyName, "m-17").Warning("now {Phase}", "Frozen");

        var fields = Receive();

        fields["MESSAGE"].ShouldBe("now Frozen");
        fields["PRIORITY"].ShouldBe("4");
        fields["SYSLOG_IDENTIFIER"].ShouldBe("ctmigrated");
        fields["CTMIGRATE_ID"].ShouldBe("m-17");
        fields["CTMIGRATE_PHASE"].ShouldBe("Frozen");
    }

    [Fact]
    public void TextOfAStrangerStaysInItsField()
    {
        using var logger = Logger();
        logger.ForContext(MigrationLogScope.PropertyName, "m-1\nPRIORITY=0").Error(new InvalidOperationException("broken"), "evil {Text}", "\nCTMIGRATE_PHASE=Done\n");

        var fields = Receive();

        fields.Keys.ShouldBe(["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "CTMIGRATE_ID"]);
        fields["CTMIGRATE_ID"].ShouldBe("m-1\nPRIORITY=0");
        fields["PRIORITY"].ShouldBe("3");
        fields["MESSAGE"].ShouldBe("evil \\nCTMIGRATE_PHASE=Done\\n\n    System.InvalidOperationException: broken");
    }

    [Fact]
    public void ALineThatIsTooLongIsCut()
    {
        using var logger = Logger();
        logger.Information("{Text}", new string('x', 1 << 20));

        Receive()["MESSAGE"].Length.ShouldBe(32 * 1024);
    }

    private Serilog.Core.Logger Logger() => new Serilog.LoggerConfiguration().WriteTo.Sink(new JournalSink(Path)).CreateLogger();

    private Dictionary<string, string> Receive()
    {
        var buffer = new byte[1 << 20];
        var rest = buffer.AsSpan(0, _journal.Receive(buffer));
        Dictionary<string, string> fields = [];
        while (rest.Length > 0)
        {
            var end = rest.IndexOf((byte)'\n');
            var length = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(rest[(end + 1)..]);
            fields.Add(Encoding.ASCII.GetString(rest[..end]), Encoding.UTF8.GetString(rest.Slice(end + 9, length)));
            rest[end + 9 + length].ShouldBe((byte)'\n');
            rest = rest[(end + 10 + length)..];
        }

        return fields;
    }
}
