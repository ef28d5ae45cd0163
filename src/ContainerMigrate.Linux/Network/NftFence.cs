using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// The fence as two nftables tables named <c>ctmigrate</c>: <c>inet</c> for IPv4 and IPv6, and <c>arp</c>, since a frozen
/// container's kernel goes on answering ARP and would draw the segment's frames back to the old port.
/// </summary>
public sealed class NftFence(IProcessRunner processes) : INetworkFence
{
    // Ahead of everything, connection tracking and defragmentation (-400) included. Deleting first, in the same
    // transaction, makes it idempotent; declaring before deleting makes that work where there is no table yet.
    private const string Raise = """
        table inet ctmigrate
        table arp ctmigrate
        delete table inet ctmigrate
        delete table arp ctmigrate
        table inet ctmigrate {
            chain input { type filter hook input priority -500; policy drop; }
            chain output { type filter hook output priority -500; policy drop; }
            chain forward { type filter hook forward priority -500; policy drop; }
        }
        table arp ctmigrate {
            chain input { type filter hook input priority -500; policy drop; }
            chain output { type filter hook output priority -500; policy drop; }
        }
        """;

    private const string Lift = """
        table inet ctmigrate
        table arp ctmigrate
        delete table inet ctmigrate
        delete table arp ctmigrate
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task RaiseAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        if (NetworkNamespace.IsHosts(networkNamespacePath))
        {
            throw new MigrationException("fence", $"{networkNamespacePath} is this host's own network: a fence there would cut off the host");
        }

        var result = await ApplyAsync(networkNamespacePath, Raise, cancellationToken);
        if (!result.Succeeded)
        {
            throw new MigrationException("fence", $"the container's packets cannot be stopped: nft: {result.FailureReason}");
        }
    }

    /// <inheritdoc/>
    public async Task LiftAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        // The host's: the container is gone and its pid belongs to somebody else.
        if (NetworkNamespace.IsGone(networkNamespacePath) || NetworkNamespace.IsHosts(networkNamespacePath))
        {
            return;
        }

        var result = await ApplyAsync(networkNamespacePath, Lift, cancellationToken);
        if (!result.Succeeded && !NetworkNamespace.IsGone(networkNamespacePath))
        {
            throw new MigrationException("fence", $"the container's packets stay stopped: nft: {result.FailureReason}");
        }
    }

    /// <inheritdoc/>
    public async Task<bool> IsRaisedAsync(string networkNamespacePath, CancellationToken cancellationToken)
    {
        if (NetworkNamespace.IsGone(networkNamespacePath) || NetworkNamespace.IsHosts(networkNamespacePath))
        {
            return false;
        }

        var result = await processes.RunAsync(
            new ProcessCommand("nft", "list", "table", "inet", "ctmigrate") { NetworkNamespacePath = networkNamespacePath, Timeout = Limit },
            cancellationToken);
        return result.Succeeded && result.StandardOutput.Contains("policy drop", StringComparison.Ordinal);
    }

    private Task<ProcessResult> ApplyAsync(string path, string rules, CancellationToken cancellationToken) =>
        processes.RunAsync(
            new ProcessCommand("nft", "-f", "-") { StandardInput = rules, NetworkNamespacePath = path, Timeout = Limit },
            cancellationToken);
}
