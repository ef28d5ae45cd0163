using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Peers;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Configuration;

public sealed partial class ConfigurationFileTests
{
    [Fact]
    public void EveryKeyIsTaken()
    {
        var options = Parse("""
            {
              // comments are allowed
              "peer_advertise": "[2001:db8::7]",
              "host_name": "h1", "peer_listen": ["10.0.0.1", "::1"], "peer_port": 7441, "socket": "/run/x.sock",
              "state_dir": "/srv/ct", "log_file": "", "log_level": "debug", "freeze_timeout": "1500ms", "deadline": "2h",
              "gate_timeout": "30s", "lease": "2m", "bandwidth": "2.5Gbit", "runc_roots": ["/run/runc", "/run/user/0/runc"], "bind_roots": ["/srv/apps"],
              "docker_socket": "/run/d.sock", "criu": "/opt/criu",
            }
            """);

        options.HostName.ShouldBe("h1");
        options.PeerListen.ShouldBe([IPAddress.Parse("10.0.0.1"), IPAddress.IPv6Loopback]);
        options.PeerPort.ShouldBe(7441);
        options.PeerAdvertise.ShouldBe(new PeerAddress("2001:db8::7", 7441));
        options.Socket.ShouldBe("/run/x.sock");
        options.StateDirectory.ShouldBe("/srv/ct");
        options.LogFile.ShouldBeNull();
        options.LogLevel.ShouldBe(LogLevel.Debug);
        options.FreezeTimeout.ShouldBe(TimeSpan.FromSeconds(1.5));
        options.Deadline.ShouldBe(TimeSpan.FromHours(2));
        options.GateTimeout.ShouldBe(TimeSpan.FromSeconds(30));
        options.Lease.ShouldBe(TimeSpan.FromMinutes(2));
        options.BandwidthBitsPerSecond.ShouldBe(2_500_000_000);
        options.RuncRoots.ShouldBe(["/run/runc", "/run/user/0/runc"]);
        options.BindRoots.ShouldBe(["/srv/apps"]);
        options.DockerSocket.ShouldBe("/run/d.sock");
        options.CriuPath.ShouldBe("/opt/criu");
    }

    [Fact]
    public void NothingSetMeansTheDefaults() => Parse("{}").ShouldBe(new DaemonOptions(), new SameOptions());

    [Theory]
    [InlineData("host_name", "\"-x\"")]
    [InlineData("host_name", "\"\"")]
    [InlineData("host_name", "7")]
    [InlineData("peer_listen", "\"10.0.0.1\"")]
    [InlineData("peer_listen", "[\"h1\"]")]
    [InlineData("peer_listen", "[1]")]
    [InlineData("peer_port", "0")]
    [InlineData("peer_port", "65536")]
    [InlineData("peer_port", "\"7440\"")]
    [InlineData("peer_advertise", "\"h1:\"")]
    [InlineData("peer_advertise", "null")]
    [InlineData("socket", "\"ctmigrated.sock\"")]
    [InlineData("state_dir", "\"\"")]
    [InlineData("log_file", "\"here.log\"")]
    [InlineData("log_level", "\"loud\"")]
    [InlineData("freeze_timeout", "10")]
    [InlineData("freeze_timeout", "\"10\"")]
    [InlineData("freeze_timeout", "\"1ms\"")]
    [InlineData("freeze_timeout", "\"-1s\"")]
    [InlineData("deadline", "\"2d\"")]
    [InlineData("deadline", "\"25h\"")]
    [InlineData("gate_timeout", "\"\"")]
    [InlineData("lease", "\"ms\"")]
    [InlineData("bandwidth", "\"fast\"")]
    [InlineData("bandwidth", "\"0Mbit\"")]
    [InlineData("runc_roots", "[\"run\"]")]
    [InlineData("bind_roots", "[\"/\"]")]
    [InlineData("bind_roots", "[\"srv\"]")]
    [InlineData("docker_socket", "false")]
    [InlineData("criu", "\"bin/criu\"")]
    public void WrongValueNamesFileKeyValueAndWhatIsAllowed(string key, string value)
    {
        var error = Should.Throw<ConfigurationException>(() => Parse($$"""{ "{{key}}": {{value}} }"""));

        error.Message.ShouldStartWith($"/etc/test.json: \"{key}\": {value} is not allowed; it must be ");
    }

    [Fact]
    public void UnknownKeyIsNamedTogetherWithTheKnownOnes()
    {
        var error = Should.Throw<ConfigurationException>(() => Parse("""{ "peer_prt": 7440 }"""));

        error.Message.ShouldContain("/etc/test.json: unknown key \"peer_prt\"");
        error.Message.ShouldContain("peer_port");
    }

    [Fact]
    public void KeyGivenTwiceIsNamed() =>
        Should.Throw<ConfigurationException>(() => Parse("""{ "lease": "1s", "lease": "2s" }""")).Message.ShouldContain("key \"lease\" is given twice");

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    public void WhatIsNoJsonObjectNamesTheFile(string json) =>
        Should.Throw<ConfigurationException>(() => Parse(json)).Message.ShouldStartWith("/etc/test.json: ");

    [Fact]
    public void MissingFileIsTheDefaultsUnlessItWasAskedFor()
    {
        ConfigurationFile.Read("/nonexistent/ctmigrated.json", required: false).PeerPort.ShouldBe(7440);
        Should.Throw<ConfigurationException>(() => ConfigurationFile.Read("/nonexistent/ctmigrated.json", required: true)).Message.ShouldContain("/nonexistent/ctmigrated.json");
    }

    [Fact]
    public void ShippedFileIsValidAndShowsEveryKeyWithItsDefault()
    {
        var text = File.ReadAllText(Path.Combine(RepositoryRoot(), "packaging", "ctmigrated.json"));
        Parse(text).ShouldBe(new DaemonOptions(), new SameOptions());

        var shown = CommentedKey().Replace(text, "${entry},");
        var keys = CommentedKey().Matches(text).Select(m => m.Groups["key"].Value).ToList();
        keys.ShouldBe(ConfigurationFile.Keys, ignoreOrder: true);
        Parse(shown).ShouldBe(new DaemonOptions { HostName = "h1" }, new SameOptions());
    }

    [GeneratedRegex("""^ *// (?<entry>"(?<key>[a-z_]+)":.*?),?$""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CommentedKey();

    private static DaemonOptions Parse(string json) => ConfigurationFile.Parse("/etc/test.json", Encoding.UTF8.GetBytes(json));

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "ContainerMigrate.sln")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException($"no repository around {AppContext.BaseDirectory}");
        }

        return directory.FullName;
    }

    /// <summary>Record equality compares lists by reference.</summary>
    private sealed class SameOptions : IEqualityComparer<DaemonOptions>
    {
        public bool Equals(DaemonOptions? x, DaemonOptions? y) =>
            x!.PeerListen.SequenceEqual(y!.PeerListen)
            && x.RuncRoots.SequenceEqual(y.RuncRoots)
            && x.BindRoots.SequenceEqual(y.BindRoots)
            && x == (y with { PeerListen = x.PeerListen, RuncRoots = x.RuncRoots, BindRoots = x.BindRoots });

        public int GetHashCode(DaemonOptions options) => options.HostName.GetHashCode(StringComparison.Ordinal);
    }
}
