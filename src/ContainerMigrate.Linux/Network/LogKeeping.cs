using System.Net;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Migration;
using ContainerMigrate.Network;

namespace ContainerMigrate.Linux.Network;

/// <summary>
/// Keeps packets by a chain <c>keep</c> in the fence's table, ahead of the fence, whose rules copy what comes from an Ethernet link to a
/// <see cref="PacketLog"/> and drop it. A thread of its own, in the namespace, reads the copies.
/// </summary>
internal sealed class LogKeeping : IPacketKeeping
{
    private const string Chain = "keep";
    private const uint Prerouting = 0; // NF_INET_PRE_ROUTING: before fragments are put together
    private static readonly TimeSpan LooksUp = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan AddressesAreFresh = TimeSpan.FromMilliseconds(20);

    private readonly NfTablesRequest _rules = BuildRules(); // before the pause
    private readonly string _path;
    private readonly KeptPackets _packets;
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task<bool> _reader;
    private readonly Dictionary<IPAddress, int> _mtus = [];
    private long _addressesRead;
    private bool _begun;
    private volatile bool _ending;

    internal LogKeeping(string path, KeptPackets packets)
    {
        _path = path;
        _packets = packets;
        _reader = NetworkNamespace.RunAsync(path, ReadLog);
    }

    /// <summary>Tries it in a network namespace made for that.</summary>
    /// <returns>Why this kernel cannot; null when it can.</returns>
    internal static async Task<string?> FindProblemAsync()
    {
        try
        {
            var error = await NetworkNamespace.RunInNewAsync(() =>
            {
                using var log = new PacketLog();
                return NfTables.Execute(BuildRules());
            });
            return error == 0 ? null : Errno.Describe(error);
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    /// <summary>Completes when the copies have somebody to go to.</summary>
    internal async Task OpenAsync() => await await Task.WhenAny(_open.Task, _reader);

    /// <inheritdoc/>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        _begun = true;
        try
        {
            if (await NetworkNamespace.RunAsync(_path, () => NfTables.Execute(_rules)) is var error and not 0)
            {
                throw Errno.Exception("nf_tables", error);
            }
        }
        catch (IOException e)
        {
            throw new MigrationException("fence", $"packets cannot be copied: {e.Message}", innerException: e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_begun && !NetworkNamespace.IsGone(_path) && !NetworkNamespace.IsHosts(_path))
        {
            try
            {
                // Without its rule the chain lets everything through; it goes with the fence's table, which may be gone already.
                var batch = new NfTablesRequest().Begin().FlushChain(NfTablesRequest.FamilyInet, NftFence.Table, Chain).End();
                await NetworkNamespace.RunAsync(_path, () => NfTables.Execute(batch));
            }
            catch (IOException)
            {
                // The namespace has gone meanwhile.
            }
        }

        _ending = true;
        try
        {
            await _reader;
        }
        catch (IOException)
        {
            // Said when it was opened, or the queue is gone with the namespace.
        }
    }

    private static NfTablesRequest BuildRules() => new NfTablesRequest().Begin()
        .AddTable(NfTablesRequest.FamilyInet, NftFence.Table)
        .AddFilterChain(NfTablesRequest.FamilyInet, NftFence.Table, Chain, Prerouting, NftFence.Priority - 1, NfTablesRequest.Accept)
        .FlushChain(NfTablesRequest.FamilyInet, NftFence.Table, Chain)
        .AddLoggedDrop(NfTablesRequest.FamilyInet, NftFence.Table, Chain, FrameDelivery.Sender, PacketLog.Group, echoOfIPv6: false)
        .AddLoggedDrop(NfTablesRequest.FamilyInet, NftFence.Table, Chain, FrameDelivery.Sender, PacketLog.Group, echoOfIPv6: true)
        .End();

    private bool ReadLog()
    {
        using var log = new PacketLog();
        ReadAddresses();
        _open.SetResult();
        while (!_ending)
        {
            log.Wait(LooksUp);
            log.Read(Keep);
        }

        log.Read(Keep); // what came before its rule went
        return true;
    }

    private void Keep(ReadOnlySpan<byte> packet)
    {
        if (IPPacket.Read(packet) is { IsKept: true } read && FindMtu(read.Destination) is { } mtu)
        {
            OffloadedPacket.Finish(packet, mtu, _packets.Add);
        }
    }

    // Null for what is not for this namespace. Links and addresses may come while packets are kept.
    private int? FindMtu(IPAddress address)
    {
        if (!_mtus.ContainsKey(address) && TimeSpan.FromMilliseconds(Environment.TickCount64 - _addressesRead) >= AddressesAreFresh)
        {
            ReadAddresses();
        }

        return _mtus.TryGetValue(address, out var mtu) ? mtu : null;
    }

    private void ReadAddresses()
    {
        var state = NetworkState.Read();
        _mtus.Clear();
        foreach (var address in state.Addresses)
        {
            // IPAddress counts the scope of a link-local address as part of it; a packet has none.
            _mtus[new IPAddress(address.Address.GetAddressBytes())] = state.Links.FirstOrDefault(l => l.Index == address.LinkIndex)?.Mtu ?? 0;
        }

        _addressesRead = Environment.TickCount64;
    }
}
