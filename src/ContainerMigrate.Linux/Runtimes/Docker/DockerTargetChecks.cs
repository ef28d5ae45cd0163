using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using ContainerMigrate.Checks;
using ContainerMigrate.Containers;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>What keeps a container from being made on this host, as far as Docker is concerned.</summary>
internal sealed class DockerTargetChecks(DockerClient client, DockerInspector inspector, DockerImages images)
{
    private const string AppArmorProfiles = "/sys/kernel/security/apparmor/profiles";

    /// <summary>API versions that brought a setting; an older daemon would ignore it without a word.</summary>
    private static readonly (string Key, Version Since, Func<DockerSettings, bool> IsUsed)[] NewSettings =
    [
        ("HostConfig.Annotations", new Version(1, 43), s => !s.HostConfig.At("Annotations").IsUnset()),
        ("Config.Healthcheck.StartInterval", new Version(1, 44), s => !s.Config.At("Healthcheck").At("StartInterval").IsUnset()),
        ("MAC addresses in several networks", NetworkAttachment.EndpointMacApi, s => s.Networks.Skip(1).Any(n => n.Mac is not null)),
        ("HostConfig.Mounts.TmpfsOptions.Options", new Version(1, 46), s => s.HostConfig.Items("Mounts").Any(m => !m.At("TmpfsOptions").At("Options").IsUnset())),
        ("gateway priority of a network", NetworkAttachment.LinkNameApi, s => s.Networks.Any(n => n.GatewayPriority != 0)),
    ];

    public async Task<IReadOnlyList<CheckFinding>> FindAsync(ContainerManifest manifest, CancellationToken cancellationToken)
    {
        var findings = new List<CheckFinding>();
        DockerSettings settings;
        try
        {
            settings = DockerSettings.Parse(manifest.Settings);
        }
        catch (InvalidDataException e)
        {
            return [Error(CheckNames.Settings, e.Message)];
        }

        var info = await client.GetAsync("/info", cancellationToken);
        DockerSourceChecks.FindDaemonProblems(info, findings);
        FindSettingProblems(settings, info, await client.GetVersionAsync(cancellationToken), findings);
        await FindNameProblemsAsync(manifest, findings, cancellationToken);
        await FindImageProblemsAsync(manifest, settings, findings, cancellationToken);
        await FindNetworkProblemsAsync(manifest, settings, findings, cancellationToken);
        FindPortProblems(settings, findings);
        return findings;
    }

    private static void FindSettingProblems(DockerSettings settings, JsonNode? info, Version api, List<CheckFinding> findings)
    {
        foreach (var (key, since, isUsed) in NewSettings)
        {
            if (api < since && isUsed(settings))
            {
                findings.Add(Error(CheckNames.Settings, $"Docker {info.Text("ServerVersion")} here (API {api}) does not know {key}, which came with API {since}", "install a newer Docker"));
            }
        }

        var host = settings.HostConfig;
        if (!host.At("CgroupParent").IsUnset() && settings.CgroupDriver != info.Text("CgroupDriver"))
        {
            findings.Add(Error(CheckNames.Settings, $"HostConfig.CgroupParent is {host.Text("CgroupParent")} under cgroup driver {settings.CgroupDriver}, Docker here uses {info.Text("CgroupDriver")}"));
        }

        var cpus = info.Number("NCPU");
        if (host.Number("NanoCpus") > cpus * 1_000_000_000)
        {
            findings.Add(Error(CheckNames.Settings, $"the container may use {host.Number("NanoCpus") / 1e9:0.##} CPUs, this host has {cpus}"));
        }

        if (CpuList.Highest(host.Text("CpusetCpus")) >= cpus)
        {
            findings.Add(Error(CheckNames.Settings, $"the container is bound to CPUs {host.Text("CpusetCpus")}, this host has 0-{cpus - 1}", "docker update --cpuset-cpus on the source"));
        }

        // Docker drops limits that the kernel cannot keep, with a warning at most.
        foreach (var (key, ability) in ((string, string)[])
                 [("Memory", "MemoryLimit"), ("MemoryReservation", "MemoryLimit"), ("NanoCpus", "CpuCfsQuota"), ("CpuQuota", "CpuCfsQuota"), ("CpuShares", "CPUShares"), ("CpusetCpus", "CPUSet"), ("CpusetMems", "CPUSet"), ("PidsLimit", "PidsLimit")])
        {
            if (!host.At(key).IsUnset() && host.Number(key) >= 0 && !info.Flag(ability))
            {
                findings.Add(Error(CheckNames.Settings, $"HostConfig.{key} is set, and this host's kernel or cgroup setup cannot keep it", "enable the cgroup controller"));
            }
        }

        foreach (var key in (string[])["BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"])
        {
            foreach (var path in host.Items(key).Select(d => d.Text("Path")).Where(p => !File.Exists(p)))
            {
                findings.Add(Error(CheckNames.Settings, $"HostConfig.{key} limits {SettingShapes.Shown(path)}, which this host does not have"));
            }
        }

        var driver = host.Object("LogConfig").Text("Type");
        if (driver.Length > 0 && driver != "none" && !info.Object("Plugins").Texts("Log").Contains(driver))
        {
            findings.Add(Error(CheckNames.Settings, $"Docker here has no log driver {SettingShapes.Shown(driver)}", "install the plugin"));
        }

        foreach (var profile in host.Texts("SecurityOpt").Where(o => o.StartsWith("apparmor", StringComparison.Ordinal)).Select(o => o[("apparmor".Length + 1)..]))
        {
            if (profile is not ("unconfined" or "docker-default") && !IsAppArmorProfileLoaded(profile))
            {
                findings.Add(Error(CheckNames.Settings, $"AppArmor profile {SettingShapes.Shown(profile)} is not loaded here", "copy it to /etc/apparmor.d and run apparmor_parser"));
            }
        }
    }

    private async Task FindNameProblemsAsync(ContainerManifest manifest, List<CheckFinding> findings, CancellationToken cancellationToken)
    {
        var taken = (await inspector.ListAsync(null, cancellationToken)).FirstOrDefault(c => c.Name == manifest.Name);
        if (taken is not null)
        {
            findings.Add(Error(CheckNames.Name, $"a container named {manifest.Name} exists here ({taken.Id[..12]})", $"docker rename {manifest.Name} OTHER, or docker rm {manifest.Name}"));
        }
    }

    private async Task FindImageProblemsAsync(ContainerManifest manifest, DockerSettings settings, List<CheckFinding> findings, CancellationToken cancellationToken)
    {
        if (manifest.Image is not { } image)
        {
            return; // found on the source
        }

        if (await images.FindOtherAsync(image, cancellationToken) is { } other)
        {
            findings.Add(new CheckFinding(CheckNames.Image, CheckSeverity.Warning, "",
                $"{SettingShapes.Shown(image.Reference)} is another image here ({other[..19]}): it stays, and the container shows its image as {image.Id[..19]}"));
        }

        var missing = await images.FindMissingLayersAsync(image, cancellationToken);
        if (missing.Count == 0)
        {
            return;
        }

        findings.Add(new CheckFinding(CheckNames.Image, CheckSeverity.Information, "",
            missing.Count == image.LayerDigests.Count
                ? $"image {SettingShapes.Shown(image.Reference)} is not here: {image.SizeBytes} bytes go along"
                : $"image {SettingShapes.Shown(image.Reference)} is not here: {Math.Min(missing.Count, image.LayerDigests.Count)} of its {image.LayerDigests.Count} layers go along, of {image.SizeBytes} bytes in all"));
        if (settings.Api < DockerImages.BlobLayoutApi)
        {
            findings.Add(Error(CheckNames.Image, $"Docker {settings.DockerVersion} on the source is too old to send an image along (25 is needed)", $"docker save {image.Id} | ssh DESTINATION docker load"));
        }
    }

    private async Task FindNetworkProblemsAsync(ContainerManifest manifest, DockerSettings settings, List<CheckFinding> findings, CancellationToken cancellationToken)
    {
        foreach (var attachment in settings.Networks.Where(n => !n.Network.IsDefaultBridge))
        {
            var wanted = attachment.Network;
            var node = await client.FindAsync($"/networks/{Uri.EscapeDataString(wanted.Name)}", cancellationToken);
            if (node is null)
            {
                findings.Add(Error(CheckNames.Network, $"there is no Docker network {SettingShapes.Shown(wanted.Name)} here", wanted.CreateCommand()));
                continue;
            }

            var here = DockerNetwork.FromInspect(node);
            var remake = $"docker network rm {here.Name}; {wanted.CreateCommand()}";
            if (here.Driver != wanted.Driver)
            {
                findings.Add(Error(CheckNames.Network, $"network {here.Name} has driver {here.Driver} here and {SettingShapes.Shown(wanted.Driver)} on the source", remake));
                continue;
            }

            foreach (var address in attachment.Addresses)
            {
                var subnet = here.Subnets.FirstOrDefault(s => s.Contains(IPAddress.Parse(address)));
                if (subnet is null)
                {
                    findings.Add(Error(CheckNames.Network, $"network {here.Name} has no subnet with {address} here (it has {string.Join(", ", here.Subnets.Select(s => s.Range))})", remake));
                }
                else if (subnet.IsFromDefaultPools)
                {
                    findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "",
                        $"{subnet.Range} of network {here.Name} looks like one that Docker chose itself here: if so, it will not give {address}", remake));
                }
            }

            FindTakenAddresses(node, attachment, findings);
            FindDifferences(here, wanted, findings);
        }

        var api = await client.GetVersionAsync(cancellationToken);
        var renamed = NetworkAttachment.InNumberingOrder(settings.Networks).Select((n, i) => (n.Interface, Number: i)).Where(l => l.Interface is not null && l.Interface != $"eth{l.Number}").ToList();
        if (renamed.Count > 0 && api < NetworkAttachment.LinkNameApi)
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "",
                $"Docker here numbers the container's links itself: {string.Join(", ", renamed.Select(l => $"{l.Interface} becomes eth{l.Number}"))}; programs that go by address do not notice",
                "Docker 28 keeps the names"));
        }
    }

    private static void FindTakenAddresses(JsonNode network, NetworkAttachment attachment, List<CheckFinding> findings)
    {
        foreach (var (_, other) in network.Properties("Containers"))
        {
            // One line for each container that is in the way: Docker <= 27 makes the MAC address from the IPv4 address.
            var taken = attachment.Addresses.Where(a => other.Text("IPv4Address").Split('/')[0] == a || other.Text("IPv6Address").Split('/')[0] == a).ToList();
            if (taken.Count == 0 && attachment.Mac is { } mac && string.Equals(other.Text("MacAddress"), mac, StringComparison.OrdinalIgnoreCase))
            {
                taken.Add($"MAC address {mac}");
            }

            if (taken.Count > 0)
            {
                findings.Add(Error(CheckNames.Address, $"{string.Join(" and ", taken)} {(taken.Count == 1 ? "is" : "are")} in use here by container {other.Text("Name")}"));
            }
        }
    }

    private static void FindDifferences(DockerNetwork here, DockerNetwork wanted, List<CheckFinding> findings)
    {
        var gateways = here.Subnets.Select(s => s.Gateway).OfType<string>().ToHashSet();
        var differing = wanted.Subnets.Select(s => s.Gateway).OfType<string>().Where(g => !gateways.Contains(g)).ToList();
        if (differing.Count > 0)
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "",
                $"network {here.Name} has gateway {string.Join(", ", gateways)} here and {string.Join(", ", differing)} on the source: routes through it change"));
        }

        const string Mtu = "com.docker.network.driver.mtu";
        if (here.Options.GetValueOrDefault(Mtu) != wanted.Options.GetValueOrDefault(Mtu))
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "",
                $"network {here.Name} has MTU {here.Options.GetValueOrDefault(Mtu) ?? "by default"} here and {wanted.Options.GetValueOrDefault(Mtu) ?? "by default"} on the source"));
        }

        if (here.Internal != wanted.Internal)
        {
            findings.Add(new CheckFinding(CheckNames.Network, CheckSeverity.Warning, "", $"network {here.Name} is internal on one host only"));
        }
    }

    private static void FindPortProblems(DockerSettings settings, List<CheckFinding> findings)
    {
        foreach (var (port, bindings) in settings.HostConfig.Properties("PortBindings"))
        {
            foreach (var binding in (bindings as JsonArray ?? []).OfType<JsonNode>())
            {
                if (ushort.TryParse(binding.Text("HostPort"), out var number) && number > 0
                    && FindBindProblem(binding.Text("HostIp"), number, isTcp: port.EndsWith("/tcp", StringComparison.Ordinal), isUdp: port.EndsWith("/udp", StringComparison.Ordinal)) is { } problem)
                {
                    findings.Add(Error(CheckNames.Address, $"port {number} cannot be published here: {problem}"));
                }
            }
        }
    }

    private static string? FindBindProblem(string address, ushort port, bool isTcp, bool isUdp)
    {
        if (!isTcp && !isUdp)
        {
            return null;
        }

        var ip = IPAddress.TryParse(address, out var given) ? given : IPAddress.Any;
        using var socket = new Socket(ip.AddressFamily, isTcp ? SocketType.Stream : SocketType.Dgram, isTcp ? ProtocolType.Tcp : ProtocolType.Udp);
        try
        {
            socket.Bind(new IPEndPoint(ip, port));
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.AddressAlreadyInUse ? "something listens on it" : e.Message;
        }
    }

    private static bool IsAppArmorProfileLoaded(string profile)
    {
        try
        {
            return File.ReadLines(AppArmorProfiles).Any(l => l.StartsWith(profile + " (", StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static CheckFinding Error(string check, string message, string? hint = null) => new(check, CheckSeverity.Error, "", message, hint);
}
