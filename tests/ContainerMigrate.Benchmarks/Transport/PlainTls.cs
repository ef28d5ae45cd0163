using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ContainerMigrate.Benchmarks.Transport;

/// <summary>
/// One TLS stream and nothing else, which everything that moves memory is measured against: a process that sends bytes and one that throws
/// them away, .NET's SslStream at both ends, as between two daemons.
/// </summary>
internal static class PlainTls
{
    /// <summary>First argument of the process that receives, and the address where. Prints its certificate's SHA-256 once it listens.</summary>
    public const string ReceiveVerb = "--tls-receive";

    /// <summary>First argument of the process that sends: then address, certificate and bytes. Prints seconds to the acknowledgement.</summary>
    public const string SendVerb = "--tls-send";

    private const int Port = 7499;
    private const int BlockBytes = 1 << 20;

    /// <summary>Runs one of the two ends when the arguments name one; null when they do not.</summary>
    public static async Task<int?> RunAsync(string[] arguments)
    {
        switch (arguments)
        {
            case [ReceiveVerb, var address]:
                await ReceiveAsync(IPAddress.Parse(address));
                return 0;
            case [SendVerb, var address, var fingerprint, var bytes]:
                await SendAsync(IPAddress.Parse(address), fingerprint, long.Parse(bytes, CultureInfo.InvariantCulture));
                return 0;
            default:
                return null;
        }
    }

    private static async Task ReceiveAsync(IPAddress address)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, optionValue: true);
        listener.Bind(new IPEndPoint(address, Port));
        listener.Listen();
        Console.WriteLine(certificate.GetCertHashString(HashAlgorithmName.SHA256));
        using var socket = await listener.AcceptAsync();
        await using var tls = new SslStream(new NetworkStream(socket));
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, EnabledSslProtocols = SslProtocols.Tls13 });
        var block = new byte[BlockBytes];
        await tls.ReadExactlyAsync(block.AsMemory(0, sizeof(long)));
        for (var left = BitConverter.ToInt64(block); left > 0;)
        {
            var read = await tls.ReadAsync(block);
            left = read > 0 ? left - read : throw new EndOfStreamException();
        }

        await tls.WriteAsync(new byte[1]);
        _ = await tls.ReadAtLeastAsync(block, 1, throwOnEndOfStream: false); // the other end closes first
    }

    private static async Task SendAsync(IPAddress address, string fingerprint, long bytes)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, Port);
        await using var tls = new SslStream(new NetworkStream(socket));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "bench",
            EnabledSslProtocols = SslProtocols.Tls13,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString(HashAlgorithmName.SHA256) == fingerprint,
        });
        var block = RandomNumberGenerator.GetBytes(BlockBytes);
        var start = TimeProvider.System.GetTimestamp();
        await tls.WriteAsync(BitConverter.GetBytes(bytes));
        for (var left = bytes; left > 0; left -= BlockBytes)
        {
            await tls.WriteAsync(block.AsMemory(0, (int)Math.Min(left, BlockBytes)));
        }

        await tls.ReadExactlyAsync(block.AsMemory(0, 1));
        Console.WriteLine(TimeProvider.System.GetElapsedTime(start).TotalSeconds.ToString("F6", CultureInfo.InvariantCulture));
    }
}
