using ContainerMigrate.Api;
using ContainerMigrate.Cli.Units;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>What <c>ctmigrate hosts</c> prints.</summary>
internal static class HostsReportText
{
    public static void Write(StandardStreams streams, HostsReport report, TimeProvider time)
    {
        var output = streams.Output;
        output.WriteLine(OneLine.Of($"this host: {report.Self}"));
        output.WriteLine(OneLine.Of($"fingerprint: {report.Fingerprint}"));
        if (report.OpenCode is { } code)
        {
            var asked = code.RequestedBy is { } host ? $" for {host}" : "";
            output.WriteLine(OneLine.Of($"pairing code{asked}: {code.Code}  ({Expiry(code, time)})"));
        }

        output.WriteLine();
        if (report.Hosts.Count == 0)
        {
            output.WriteLine("no host is paired with it; see: ctmigrate hosts pair --help");
            return;
        }

        var table = new TextTable();
        table.Add("HOST", "ADDRESS", "FINGERPRINT", "RTT", "CLOCK", "VERSION", "STATE");
        foreach (var host in report.Hosts)
        {
            table.Add(
                host.Name,
                host.Address,
                OneLine.Fit(host.Fingerprint, 12, streams.Unicode),
                host.RoundTripMs is { } roundTrip ? Duration.FormatMilliseconds(roundTrip) : "-",
                host.ClockOffsetMs is { } offset ? Signed(offset) : "-",
                host.Version.Length > 0 ? host.Version : "-",
                host.Reachable ? "reachable" : host.Detail.Length > 0 ? $"unreachable: {host.Detail}" : "unreachable");
        }

        table.Write(output, streams.FoldWidth, streams.Colors);
    }

    /// <summary><c>good for one host, until 12:03:04</c></summary>
    public static string Expiry(PairingCode code, TimeProvider time) =>
        FormattableString.Invariant($"good for one host, until {TimeZoneInfo.ConvertTime(code.ExpiresAt, time.LocalTimeZone):HH:mm:ss}");

    private static string Signed(double milliseconds) =>
        milliseconds >= 0 ? "+" + Duration.FormatMilliseconds(milliseconds) : Duration.FormatMilliseconds(milliseconds);
}
