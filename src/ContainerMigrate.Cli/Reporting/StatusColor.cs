namespace ContainerMigrate.Cli.Reporting;

/// <summary>Colours of the words that tell how something stands, as SGR parameters (ECMA-48).</summary>
internal static class StatusColor
{
    public static string? Of(string word) => word switch
    {
        "ok" or "done" => "32",
        "warning" or "skipped" or "cancelled" => "33",
        "error" or "failed" or "in doubt" => "31",
        _ => null,
    };
}
