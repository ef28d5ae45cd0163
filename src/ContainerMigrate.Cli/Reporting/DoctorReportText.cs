using ContainerMigrate.Api;

namespace ContainerMigrate.Cli.Reporting;

/// <summary>The list of <c>ctmigrate doctor</c>.</summary>
internal static class DoctorReportText
{
    public static bool HasErrors(DoctorReport report) => report.Items.Any(item => item.Status == "error");

    public static void Write(StandardStreams streams, DoctorReport report)
    {
        streams.Output.WriteLine(OneLine.Of($"{report.Host}  ctmigrated {report.Version}"));
        streams.Output.WriteLine();
        var table = new TextTable(StatusColor.Of);
        foreach (var item in report.Items)
        {
            table.Add(item.Status, item.Name, item.Hint is null ? OneLine.Of(item.Detail) : $"{OneLine.Of(item.Detail)}\nnext: {OneLine.Of(item.Hint)}");
        }

        table.Write(streams.Output, streams.FoldWidth, streams.Colors, "  ");
        streams.Output.WriteLine();
        var errors = report.Items.Count(item => item.Status == "error");
        streams.Output.WriteLine(errors switch
        {
            0 => "this host can migrate containers",
            1 => "1 thing is missing",
            _ => $"{errors} things are missing",
        });
    }
}
