using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Serilog.Core;
using Serilog.Events;

namespace ContainerMigrate.Daemon.Logging;

/// <summary>
/// Writes to systemd's journal in its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), one datagram for each event, so that lines can be found by
/// <c>CTMIGRATE_ID=</c> and <c>CTMIGRATE_PHASE=</c>. What the journal does not take is written to standard error, which systemd reads as well.
/// </summary>
internal sealed class JournalSink : ILogEventSink, IDisposable
{
    public const string DefaultSocket = "/run/systemd/journal/socket";

    /// <summary>Name of the property that holds the phase which a migration has reached.</summary>
    public const string PhaseProperty = "Phase";

    // Larger datagrams than a socket's buffer are refused, and no line of ours needs more.
    private const int MaxMessageCharacters = 32 * 1024;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly UnixDomainSocketEndPoint _journal;
    private readonly LineFormatter _lines = new(forJournal: true, withId: false);
    private readonly LineFormatter _console = new(forJournal: true);

    /// <param name="socket">Path of the journal's socket.</param>
    public JournalSink(string socket = DefaultSocket) => _journal = new UnixDomainSocketEndPoint(socket);

    public void Emit(LogEvent logEvent)
    {
        try
        {
            _socket.SendTo(Encode(logEvent), _journal);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            _console.Format(logEvent, Console.Error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private byte[] Encode(LogEvent logEvent)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        _lines.Format(logEvent, text);
        // The priority is a field here; the first line's is cut off with those of all others.
        var lines = text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l[(l.IndexOf('>', StringComparison.Ordinal) + 1)..]);
        var message = string.Join('\n', lines);

        using var datagram = new MemoryStream();
        Add(datagram, "MESSAGE", message.Length > MaxMessageCharacters ? message[..MaxMessageCharacters] : message);
        Add(datagram, "PRIORITY", LineFormatter.Priority(logEvent.Level).ToString(CultureInfo.InvariantCulture));
        Add(datagram, "SYSLOG_IDENTIFIER", "ctmigrated");
        Add(datagram, "CTMIGRATE_ID", Text(logEvent, MigrationLogScope.PropertyName));
        Add(datagram, "CTMIGRATE_PHASE", Text(logEvent, PhaseProperty));
        return datagram.ToArray();
    }

    /// <summary>NAME, a line feed, the value's length in 64 bits, little-endian, the value, a line feed: whatever is in the value stays in it.</summary>
    private static void Add(MemoryStream datagram, string name, string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return;
        }

        var bytes = Encoding.UTF8.GetBytes(value);
        datagram.Write(Encoding.ASCII.GetBytes(name + "\n"));
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)bytes.Length);
        datagram.Write(length);
        datagram.Write(bytes);
        datagram.WriteByte((byte)'\n');
    }

    private static string? Text(LogEvent logEvent, string property) =>
        logEvent.Properties.GetValueOrDefault(property) is ScalarValue { Value: { } value } ? value.ToString() : null;
}
