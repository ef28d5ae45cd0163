using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using ContainerMigrate.Daemon.Configuration;

namespace ContainerMigrate.Daemon.Peers;

/// <summary>Where a peer listens: a host name or an address, and a port.</summary>
/// <param name="Host">Name, IPv4 address or IPv6 address without brackets.</param>
internal sealed record PeerAddress(string Host, int Port)
{
    public const string Allowed = "NAME, NAME:PORT, IPV4, IPV4:PORT, IPV6 or [IPV6]:PORT";

    private const int MaxHostLength = 253;

    public static PeerAddress From(IPAddress address, int port) =>
        new((address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString(), port);

    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out PeerAddress? address, int defaultPort = DaemonOptions.DefaultPeerPort)
    {
        address = null;
        if (string.IsNullOrEmpty(text) || text.Length > MaxHostLength + 8)
        {
            return false;
        }

        string host;
        var port = defaultPort;
        if (text[0] == '[')
        {
            var end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0 || !IsIPv6(text[1..end]) || !TryParsePort(text[(end + 1)..], ref port))
            {
                return false;
            }

            host = text[1..end];
        }
        else if (IsIPv6(text))
        {
            host = text;
        }
        else
        {
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            host = colon < 0 ? text : text[..colon];
            if (!IsNameOrIPv4(host) || !TryParsePort(colon < 0 ? "" : text[colon..], ref port))
            {
                return false;
            }
        }

        address = new PeerAddress(host, port);
        return true;
    }

    public override string ToString() =>
        Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    private static bool IsIPv6(string text) =>
        text.Contains(':', StringComparison.Ordinal) && !text.Contains('[', StringComparison.Ordinal) && IPAddress.TryParse(text, out _);

    private static bool IsNameOrIPv4(string text) =>
        text.Length is > 0 and <= MaxHostLength
        && char.IsAsciiLetterOrDigit(text[0])
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    /// <summary>Reads <c>:PORT</c>; nothing at all leaves the port as it is.</summary>
    private static bool TryParsePort(string text, ref int port) =>
        text.Length == 0
        || (text[0] == ':' && int.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= 65535);
}
