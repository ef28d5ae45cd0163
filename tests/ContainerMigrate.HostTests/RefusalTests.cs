using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>
/// What a check refuses: exit code 10, one line for each reason, the container as it was, and nothing new on either host.
/// </summary>
public sealed class RefusalTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "web";

    [Fact]
    public async Task NoSuchContainer() =>
        await ShouldBeRefusedAsync("nobody", H2, "no container 'nobody' here");

    [Fact]
    public async Task ContainerThatDoesNotRun()
    {
        await StartAsync();
        await H1.RunAsync("docker", "stop", "-t", "0", Container);
        await ShouldBeRefusedAsync(Container, H2, "container web is not running (it is exited)");
    }

    [Fact]
    public async Task UnknownHost()
    {
        await StartAsync();
        await ShouldBeRefusedAsync(Container, new LabHost("h9"), "h9 is not paired with this host");
    }

    [Fact]
    public async Task HostThatThisOneIsNotPairedWith()
    {
        await StartAsync();
        AtTheEnd(() => LabFixture.LabAsync("pair"));
        await H1.RunAsync("ctmigrate", "hosts", "remove", H2.Name);
        await ShouldBeRefusedAsync(Container, H2, "h2 is not paired with this host");
    }

    [Fact]
    public async Task HostThatIsNotPairedWithThisOne()
    {
        await StartAsync();
        AtTheEnd(() => LabFixture.LabAsync("pair"));
        await H2.RunAsync("ctmigrate", "hosts", "remove", H1.Name);
        await ShouldBeRefusedAsync(Container, H2, "h2: connect: it does not know this host");
    }

    [Fact]
    public async Task HostWhoseDaemonIsStopped()
    {
        await StartAsync();
        AtTheEnd(() => H2.DaemonAsync("start"));
        await H2.DaemonAsync("stop");
        await ShouldBeRefusedAsync(Container, H2, "h2: check: ");
    }

    [Fact]
    public async Task SameHost()
    {
        await StartAsync();
        await ShouldBeRefusedAsync(Container, H1, "h1 is this host");
    }

    [Fact]
    public async Task NameTaken()
    {
        await StartAsync();
        await H2.RunAsync("docker", "create", "--name", Container, "ctm-small:1");
        await ShouldBeRefusedAsync(Container, H2, "h2: name: a container named web exists here");
    }

    [Fact]
    public async Task AddressTakenByAContainerOfTheDestination()
    {
        await StartAsync();
        await H2.DockerRunAsync("other", "--network", "lan", "--ip", NumberServer.IPv4, "ctm-small:1", "sleep", "infinity");
        await ShouldBeRefusedAsync(Container, H2, $"h2: address: {NumberServer.IPv4} is in use", "other");
    }

    [Fact]
    public async Task AddressTakenByAnotherMachine()
    {
        await StartAsync();
        // The client answers for the address where the probe reaches it, and the container's own answer is lost.
        AtTheEnd(() => Client.RunAsync("ip", "address", "del", NumberServer.IPv4 + "/32", "dev", "eth0"));
        await Client.RunAsync("ip", "address", "add", NumberServer.IPv4 + "/32", "dev", "eth0");
        AtTheEnd(() => H1.ShellAsync("nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n ip link set eth0 arp on"));
        await H1.ShellAsync("nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n ip link set eth0 arp off");
        await ShouldBeRefusedAsync(Container, H2, $"h2: address: {NumberServer.IPv4} is in use by ");
    }

    [Fact]
    public async Task ImageTooBigForTheDisk()
    {
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", NumberServer.IPv4, "ctm-apps:1", "sleep", "infinity");
        // Room for a container of the small image, which is there, and not for an image beside it.
        await MountAsync(H2, "-t tmpfs -o size=600m tmpfs", "/var/lib/ctmigrate");
        await ShouldBeRefusedAsync(Container, H2, "h2: disk: not enough disk", "image");
    }

    [Fact]
    public async Task NotEnoughMemory()
    {
        await StartAsync();
        await H2.ShellAsync("sed 's/^MemAvailable:.*/MemAvailable:     200000 kB/' /proc/meminfo >/run/meminfo");
        AtTheEnd(() => H2.RunAsync("rm", "/run/meminfo"));
        await MountAsync(H2, "--bind /run/meminfo", "/proc/meminfo");
        await ShouldBeRefusedAsync(Container, H2, "h2: memory: not enough memory");
    }

    [Fact]
    public async Task OlderCriuAtTheDestination()
    {
        await StartAsync();
        await using (await AlteredCriu.OfVersionAsync(H2, "4.1.1"))
        {
            await ShouldBeRefusedAsync(Container, H2, "h2: criu: ", "4.1.1");
        }
    }

    [Fact]
    public async Task CriuThatDoesNotStart()
    {
        await StartAsync();
        await using (await AlteredCriu.CrashingAsync(H1))
        {
            await ShouldBeRefusedAsync(Container, H2, "h1: criu: CRIU does not run: ");
        }
    }

    [Fact]
    public async Task Privileged()
    {
        await StartAsync("--privileged");
        await ShouldBeRefusedAsync(Container, H2, "h1: privileged: the container is privileged");
    }

    [Theory]
    [InlineData("--ipc=shareable", "h1: namespaces: the container's IPC mode is shareable")]
    [InlineData("--uts=host", "h1: namespaces: the container uses the host's host name namespace")]
    [InlineData("--device=/dev/fuse", "h1: devices: the container uses devices of this host")]
    [InlineData("--link=other", "h1: network: the container is linked to others")]
    public async Task SettingThatCannotBeKept(string option, string reason)
    {
        await H1.DockerRunAsync("other", "--network", "lan", "ctm-small:1", "sleep", "infinity");
        await StartAsync(option);
        await ShouldBeRefusedAsync(Container, H2, reason);
    }

    [Fact]
    public async Task BindMountOfASystemDirectory()
    {
        await StartAsync("-v", "/etc:/outside:ro");
        await ShouldBeRefusedAsync(Container, H2, "h2: mounts: /outside: containers from elsewhere may not use /etc here");
    }

    [Fact]
    public async Task OpenExecSession()
    {
        await StartAsync();
        await H1.RunAsync("docker", "exec", "-d", Container, "sleep", "infinity");
        await ShouldBeRefusedAsync(Container, H2, "h1: exec: sleep (pid");
    }

    [Fact]
    public async Task SeveralReasonsAtOnce()
    {
        await StartAsync("--privileged", "-v", "/etc:/outside:ro");
        await H2.RunAsync("docker", "create", "--name", Container, "ctm-small:1");
        var errors = await RefusalsAsync(Container, H2);
        foreach (var check in (string[])["h2: name: ", "h2: mounts: ", "h1: privileged: "])
        {
            errors.Count(l => l.Contains(check, StringComparison.Ordinal)).ShouldBe(1, string.Join('\n', errors));
        }

        errors.Count.ShouldBe(3, string.Join('\n', errors));
    }

    [Fact]
    public async Task UnknownNameOfACheckToSkip()
    {
        await StartAsync();
        var errors = await RefusalsAsync(Container, H2, exitCode: 2, "--skip", "weather");
        errors.ShouldHaveSingleItem().ShouldContain("there is no check 'weather'");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11, "--privileged")]
    public async Task DryRunOnlyTells(int exitCode, params string[] dockerOptions)
    {
        await StartAsync(dockerOptions);
        (await RefusalsAsync(Container, H2, exitCode, "--dry-run")).Count.ShouldBe(exitCode == 0 ? 0 : 1);
    }

    private Task<NumberServer> StartAsync(params string[] dockerOptions) => NumberServer.StartAsync(H1, dockerOptions: dockerOptions);

    private async Task ShouldBeRefusedAsync(string container, LabHost destination, params string[] reason)
    {
        var error = (await RefusalsAsync(container, destination)).ShouldHaveSingleItem();
        foreach (var words in reason)
        {
            error.ShouldContain(words, Case.Sensitive);
        }
    }

    /// <summary>Tries to move a container, and returns the errors when both hosts are as before.</summary>
    private async Task<IReadOnlyList<string>> RefusalsAsync(string container, LabHost destination, int exitCode = 10, params string[] options)
    {
        LabHost[] hosts = [H1, H2];
        var before = await Task.WhenAll(hosts.Select(h => h.LeftoversAsync()));
        var untouched = (await H1.InspectAsync(container))?.ToJsonString();

        var outcome = await H1.MigrateAsync(container, destination, options);

        outcome.ExitCode.ShouldBe(exitCode, outcome.ToString());
        (await H1.InspectAsync(container))?.ToJsonString().ShouldBe(untouched);
        var after = await Task.WhenAll(hosts.Select(h => h.LeftoversAsync()));
        foreach (var (host, was, now) in hosts.Zip(before, after))
        {
            now.DifferenceTo(was).ShouldBeEmpty($"{host.Name} is not as it was before: {string.Join(", ", now.DifferenceTo(was))}");
        }

        return [.. outcome.ErrorLines.Where(l => l.StartsWith("ctmigrate: ", StringComparison.Ordinal))];
    }
}
