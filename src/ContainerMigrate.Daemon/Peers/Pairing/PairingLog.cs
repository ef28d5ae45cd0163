using System.Net;

namespace ContainerMigrate.Daemon.Peers.Pairing;

internal static partial class PairingLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Pairing code {Code}, asked for by {RequestedBy}: valid for {Minutes} minutes and one pairing")]
    public static partial void CodeOpened(ILogger logger, string code, string requestedBy, int minutes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Pairing refused: {Caller} at {Address} does not know the code, or somebody is between the two hosts; {TriesLeft} tries left")]
    public static partial void WrongCode(ILogger logger, string caller, IPAddress address, int triesLeft);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Pairing refused: another host is known by the name {Name}; if it is gone: ctmigrate hosts remove {Name}")]
    public static partial void NameTaken(ILogger logger, string name);

    [LoggerMessage(Level = LogLevel.Information, Message = "Paired with {Name} at {Address}, certificate {Fingerprint}")]
    public static partial void Paired(ILogger logger, string name, PeerAddress address, string fingerprint);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Name} removed: the two hosts are no longer paired")]
    public static partial void Removed(ILogger logger, string name);
}
