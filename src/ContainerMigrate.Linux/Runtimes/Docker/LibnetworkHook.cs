using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>
/// What Docker's prestart hook <c>libnetwork-setkey</c> does: it tells dockerd, through a socket, where the container's network namespace is, and dockerd attaches it
/// (libnetwork/sandbox_externalkey_unix.go). The hook is dockerd itself, started once more, which takes 40 ms and more before a word is said. Docker 28 and later has none.
/// </summary>
/// <param name="socketPath">dockerd's.</param>
/// <param name="containerId">Of the container.</param>
internal sealed class LibnetworkHook(string socketPath, string containerId)
{
    private const string Name = "libnetwork-setkey";
    private const string ExecRootOption = "-exec-root=";
    private const string DefaultExecRoot = "/run/docker";
    private const string Success = "success";
    private const int MaxAnswerBytes = 1024;
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromSeconds(60);

    /// <summary>Takes the hook out of a configuration; null, and nothing changed, when there is none of the form that is known.</summary>
    public static Func<int, Task>? TakeFrom(JsonObject config)
    {
        if (config["hooks"]?["prestart"] is not JsonArray prestart)
        {
            return null;
        }

        foreach (var hook in prestart.OfType<JsonObject>())
        {
            if (Parse(hook) is { } known)
            {
                prestart.Remove(hook);
                return known.AttachAsync;
            }
        }

        return null;
    }

    /// <summary>Has dockerd attach the network of a container; returns when it has.</summary>
    /// <param name="pid">A process in the container's network namespace.</param>
    /// <exception cref="MigrationException">dockerd did not.</exception>
    public async Task AttachAsync(int pid)
    {
        string answer;
        try
        {
            using var limit = new CancellationTokenSource(AnswersWithin);
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), limit.Token);
            var request = new JsonObject { ["ContainerID"] = containerId, ["Key"] = $"/proc/{pid}/ns/net" };
            await socket.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString()), limit.Token);
            var buffer = new byte[MaxAnswerBytes];
            answer = Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            answer = e is SocketException ? e.Message : "dockerd did not answer";
        }

        if (answer != Success)
        {
            throw new MigrationException("restore", $"dockerd could not attach the network: {answer}", "dockerd's log says more");
        }
    }

    // libnetwork-setkey [-exec-root=DIRECTORY] CONTAINER-ID CONTROLLER-ID
    private static LibnetworkHook? Parse(JsonObject hook)
    {
        if (hook["args"] is not JsonArray array || array.Any(a => a?.GetValueKind() != JsonValueKind.String))
        {
            return null;
        }

        var args = array.Select(a => a!.GetValue<string>()).ToList();
        var root = args.Count == 4 && args[1].StartsWith(ExecRootOption, StringComparison.Ordinal) ? args[1][ExecRootOption.Length..] : args.Count == 3 ? DefaultExecRoot : null;
        if (args.FirstOrDefault() != Name || root is null)
        {
            return null;
        }

        var socket = Path.Combine(root, "libnetwork", args[^1] + ".sock");
        return File.Exists(socket) ? new LibnetworkHook(socket, args[^2]) : null;
    }
}
