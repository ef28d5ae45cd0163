using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ContainerMigrate.Containers;
using ContainerMigrate.Linux.Files;
using ContainerMigrate.Linux.Network;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Criu;

/// <summary>
/// A dump with <c>--lazy-pages</c> after its images are complete. CRIU waits, as a page server, for somebody to fetch the memory it left out;
/// nobody does (the pages are read past it), and a CLOSE lets it finish. What it takes to reach it is on the disk, for a daemon that comes after this one.
/// </summary>
internal sealed class MetadataDump : IMetadataDump
{
    private const string RecordName = "page-server";
    private const uint Close = 0x1023; // PS_IOV_CLOSE in CRIU's page-xfer.c

    // Letting go takes CRIU 0.2 s and more, as it has so many pages in its pipes.
    private static readonly TimeSpan EndsWithin = TimeSpan.FromSeconds(60);

    private readonly IRunningProcess _runc;
    private readonly string _directory;
    private readonly string _network;
    private readonly int _port;
    private readonly Lazy<Task> _end;

    private MetadataDump(IRunningProcess runc, string directory, string network, int port)
    {
        _runc = runc;
        _directory = directory;
        _network = network;
        _port = port;
        _end = new Lazy<Task>(EndAsync);
    }

    /// <summary>Raised once it is over.</summary>
    public event EventHandler? Ended;

    /// <summary>Starts the dump and returns when its images are complete.</summary>
    /// <param name="checkpoint">runc's command without what makes it lazy.</param>
    /// <param name="directory">The migration's own directory.</param>
    /// <param name="network">Namespace for the page server: see <see cref="PageServerNetwork"/>.</param>
    /// <param name="explain">Makes the failure from how runc ended.</param>
    public static async Task<MetadataDump> StartAsync(
        IProcessRunner processes, ProcessCommand checkpoint, string directory, string network, Func<ProcessResult, MigrationException> explain)
    {
        var port = await NetworkNamespace.RunAsync(network, FindPort);
        var runc = await processes.StartAsync(
            checkpoint with
            {
                // runc insists on a descriptor that can only be written: our end of its standard output is one.
                Arguments = [.. checkpoint.Arguments.SkipLast(1), "--lazy-pages", "--page-server", $"{IPAddress.Loopback}:{port}", "--status-fd", "1", checkpoint.Arguments[^1]],
                NetworkNamespacePath = network,
            },
            CancellationToken.None);
        DurableFile.Replace(Path.Combine(directory, RecordName), System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{runc.Id} {port}")));
        var ready = new byte[1];
        if (await runc.StandardOutput.ReadAsync(ready) == 1)
        {
            return new MetadataDump(runc, directory, network, port);
        }

        await using (runc)
        {
            File.Delete(Path.Combine(directory, RecordName));
            throw explain(await runc.WaitAsync(CancellationToken.None));
        }
    }

    /// <summary>Ends a dump that an earlier daemon left behind, if there is one.</summary>
    public static async Task EndAbandonedAsync(string directory)
    {
        var record = Path.Combine(directory, RecordName);
        if (!File.Exists(record))
        {
            return;
        }

        var fields = (await File.ReadAllTextAsync(record)).Split(' ');
        if (fields.Length == 2 && int.TryParse(fields[0], CultureInfo.InvariantCulture, out var pid) && int.TryParse(fields[1], CultureInfo.InvariantCulture, out var port) && IsOurs(pid, directory))
        {
            var network = $"/proc/{pid}/ns/net";
            for (var waited = TimeSpan.Zero; IsOurs(pid, directory) && waited < EndsWithin; waited += TimeSpan.FromMilliseconds(50))
            {
                // It may not be listening yet, and the page server takes one connection only: refused is not the end.
                await TryCloseAsync(network, port);
                await Task.Delay(50);
            }
        }

        File.Delete(record);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => new(_end.Value);

    private async Task EndAsync()
    {
        await TryCloseAsync(_network, _port);
        using var limit = new CancellationTokenSource(EndsWithin);
        try
        {
            await _runc.WaitAsync(limit.Token);
        }
        finally
        {
            await _runc.DisposeAsync();
            File.Delete(Path.Combine(_directory, RecordName));
            Ended?.Invoke(this, EventArgs.Empty);
        }
    }

    // Process ids are used again: it is ours if its command line names this migration's directory.
    private static bool IsOurs(int pid, string directory)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Contains(directory, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static int FindPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task TryCloseAsync(string network, int port)
    {
        try
        {
            await NetworkNamespace.RunAsync(network, () =>
            {
                using var client = new TcpClient { ReceiveTimeout = (int)EndsWithin.TotalMilliseconds };
                client.Connect(IPAddress.Loopback, port);
                // As long as the header is since CRIU 4.2. An older one takes the first 24 bytes, all it needs, and closes.
                Span<byte> header = stackalloc byte[32];
                BinaryPrimitives.WriteUInt32LittleEndian(header, Close);
                client.GetStream().Write(header);
                Span<byte> status = stackalloc byte[sizeof(int)];
                return client.GetStream().ReadAtLeast(status, status.Length, throwOnEndOfStream: false);
            });
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // It listens no more, or not yet; whether it has ended is seen by its process.
        }
    }
}
