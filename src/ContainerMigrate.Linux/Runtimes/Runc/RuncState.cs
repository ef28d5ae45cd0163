using System.Text.Json;
using System.Text.Json.Nodes;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Linux.Runtimes.Runc;

/// <summary>What <c>runc state</c> tells of a container.</summary>
/// <param name="Status"><c>created</c>, <c>running</c>, <c>paused</c>, <c>stopped</c>.</param>
/// <param name="Bundle">Absolute path.</param>
internal sealed record RuncState(string Id, int Pid, string Status, string Bundle)
{
    /// <returns>Null when runc knows no such container in this root.</returns>
    public static async Task<RuncState?> ReadAsync(IProcessRunner processes, string root, string id, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Path.Combine(root, id)))
        {
            return null;
        }

        var result = await processes.RunAsync(new ProcessCommand("runc", "--root", root, "state", id) { Timeout = TimeSpan.FromSeconds(10) }, cancellationToken);
        try
        {
            return result.Succeeded && JsonNode.Parse(result.StandardOutput) is JsonObject state
                ? new RuncState(id, state["pid"]!.GetValue<int>(), state["status"]!.GetValue<string>(), state["bundle"]!.GetValue<string>())
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            return null;
        }
    }
}
