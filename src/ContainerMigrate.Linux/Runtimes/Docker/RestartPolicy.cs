using System.Text.Json.Nodes;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Docker's restart policy, as <c>{"Name": "on-failure", "MaximumRetryCount": 3}</c>.</summary>
internal static class RestartPolicy
{
    private const string None = "no";

    private const string NameKey = "Name";
    private const string CountKey = "MaximumRetryCount";

    public static JsonObject Never() => new() { [NameKey] = None };

    public static JsonObject Read(JsonNode? inspect)
    {
        var policy = inspect.Object("HostConfig").Object("RestartPolicy");
        var name = policy.Text(NameKey);
        return new JsonObject { [NameKey] = name.Length == 0 ? None : name, [CountKey] = policy.Number(CountKey) };
    }

    /// <exception cref="InvalidDataException">It is none of Docker's policies.</exception>
    public static JsonObject Checked(JsonObject policy)
    {
        var name = policy.Text(NameKey);
        var count = policy.Number(CountKey);
        return name is "" or None or "always" or "unless-stopped" or "on-failure" && count is >= 0 and <= int.MaxValue
            ? new JsonObject { [NameKey] = name.Length == 0 ? None : name, [CountKey] = name == "on-failure" ? count : 0 }
            : throw new InvalidDataException($"'{SettingShapes.Shown(name)}' is not a restart policy of Docker");
    }

    /// <summary>Gives it to a container; success when the container is gone.</summary>
    public static async Task ApplyAsync(DockerClient client, string id, JsonObject policy, CancellationToken cancellationToken)
    {
        var wanted = Checked(policy);
        var inspect = await client.FindAsync($"/containers/{id}/json", cancellationToken);
        // dockerd passes every update on to runc, needlessly when nothing changes.
        if (inspect is null || DockerJson.SameSetting(Read(inspect), wanted))
        {
            return;
        }

        await client.PostAsync($"/containers/{id}/update", new JsonObject { ["RestartPolicy"] = wanted }, cancellationToken);
    }

    /// <summary>Starts a container that has ended with its host while it had no policy, as dockerd would have done at its own start.</summary>
    /// <param name="hasEnded">It is known to have ended so.</param>
    /// <returns>Whether it had to be started.</returns>
    public static async Task<bool> MakeUpForAsync(DockerClient client, string id, JsonObject policy, bool hasEnded, CancellationToken cancellationToken)
    {
        // 255 is what dockerd notes when it finds a container dead that it had left running; one that was stopped or has failed has another.
        // daemon/daemon.go, (*Daemon).restore.
        const int DiedWithItsHost = 255;

        if (Checked(policy).Text(NameKey) == None
            || (await client.FindAsync($"/containers/{id}/json", cancellationToken)).Object("State") is not { } state
            || !(hasEnded ? !state.Flag("Running") : state.Text("Status") == "exited" && state.Number("ExitCode") == DiedWithItsHost))
        {
            return false;
        }

        await client.PostAsync($"/containers/{id}/start", null, cancellationToken);
        return true;
    }
}
