namespace ContainerMigrate.HostTests.Lab;

/// <summary>Lets nothing through between a host's daemon and others, as a pulled cable does; its containers' packets go on.</summary>
public static class CutLink
{
    public static Task BeginAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.RunAsync("nft", """
            table inet cut {
              chain output {
                type filter hook output priority 0
                tcp dport 7440 drop
                tcp sport 7440 drop
              }
              chain input {
                type filter hook input priority 0
                tcp dport 7440 drop
                tcp sport 7440 drop
              }
            }
            """);
    }

    /// <summary>Connects it again, if it is not.</summary>
    public static Task EndAsync(LabHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.RunAsync("nft", "table inet cut; delete table inet cut");
    }
}
