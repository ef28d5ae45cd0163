using System.Text.Json.Nodes;
using ContainerMigrate.Checks;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>Settings of a running container that are known and cannot move, each with the reason.</summary>
internal static class SettingRefusals
{
    /// <summary>The refusal of a <c>HostConfig</c> key with this value, which is set; null when there is none.</summary>
    public static CheckFinding? Find(string key, JsonNode value)
    {
        var text = value.Text() ?? "";
        return key switch
        {
            "Privileged" => Error(CheckNames.Privileged, "the container is privileged: it may hold on to anything of this host", "run it with the capabilities it needs (--cap-add)"),
            "Devices" or "DeviceRequests" or "DeviceCgroupRules" => Error(CheckNames.Devices, $"the container uses devices of this host (HostConfig.{key})", null),
            "Links" => Error(CheckNames.Network, "the container is linked to others (--link): links cannot be kept", "use a user-defined network and aliases"),
            "NetworkMode" when text == "host" => Error(CheckNames.Namespaces, "the container uses the host's network: its addresses are the host's", "give it a network of its own"),
            "NetworkMode" when IsShared(text) => Shared("network", text),
            "PidMode" when text == "host" => Host("process"),
            "PidMode" when IsShared(text) => Shared("process", text),
            "PidMode" => Error(CheckNames.Namespaces, $"process namespace mode '{SettingShapes.Shown(text)}' is not known", null),
            "IpcMode" when text == "host" => Host("IPC"),
            "IpcMode" when IsShared(text) => Shared("IPC", text),
            // Docker keeps the shared /dev/shm on the host and binds it, so that CRIU leaves its contents out.
            "IpcMode" when text == "shareable" => Error(CheckNames.Namespaces, "the container's IPC mode is shareable: its /dev/shm lies on this host and does not move", "create it with --ipc=private"),
            "UTSMode" when text == "host" => Host("host name"),
            "UTSMode" => Error(CheckNames.Namespaces, $"host name namespace mode '{SettingShapes.Shown(text)}' is not known", null),
            "CgroupnsMode" when text == "host" => Host("cgroup"),
            "Cgroup" => Error(CheckNames.Namespaces, "the container joins the cgroup of another", null),
            "Isolation" when text != "default" => Unknown("HostConfig", key),
            "Isolation" => null,
            "Runtime" when text is not ("runc" or "io.containerd.runc.v2") => Error(CheckNames.Runtime, $"the container runs under '{SettingShapes.Shown(text)}': only runc can be moved", null),
            _ => null,
        };
    }

    /// <summary>The refusal of a key that nobody has thought about: it must not get lost silently.</summary>
    public static CheckFinding Unknown(string section, string key) =>
        Error(CheckNames.Settings, $"{section}.{SettingShapes.Shown(key)} is set and is not among the settings that can be moved", null);

    private static bool IsShared(string mode) => mode.StartsWith("container:", StringComparison.Ordinal);

    private static CheckFinding Host(string what) => Error(CheckNames.Namespaces, $"the container uses the host's {what} namespace", null);

    private static CheckFinding Shared(string what, string mode) =>
        Error(CheckNames.Namespaces, $"the container shares the {what} namespace of {SettingShapes.Shown(mode)}: both would have to move at once", null);

    private static CheckFinding Error(string check, string message, string? hint) => new(check, CheckSeverity.Error, "", message, hint);
}
