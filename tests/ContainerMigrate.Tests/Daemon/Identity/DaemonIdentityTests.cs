using System.Security.Cryptography.X509Certificates;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Daemon.Identity;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Identity;

public sealed class DaemonIdentityTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void IsMadeOnceAndKept()
    {
        using var first = Load();
        using var second = Load();

        second.Fingerprint.ShouldBe(first.Fingerprint);
        second.Certificate.HasPrivateKey.ShouldBeTrue();
        second.Certificate.Subject.ShouldBe("CN=h1, O=ContainerMigrate");
        second.Certificate.GetECDsaPublicKey()!.KeySize.ShouldBe(256);
    }

    [Fact]
    public void TwoHostsHaveTwo()
    {
        using var other = new TemporaryDirectory();
        using var first = Load();
        using var second = DaemonIdentity.LoadOrCreate(other.Path, "h1");

        second.Fingerprint.ShouldNotBe(first.Fingerprint);
    }

    [Fact]
    public void OnlyTheOwnerReadsTheKey()
    {
        using var identity = Load();

        File.GetUnixFileMode(_directory.File("key.pem")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void KeyThatOthersCanReadIsRefused()
    {
        Load().Dispose();
        File.SetUnixFileMode(_directory.File("key.pem"), UnixFileMode.UserRead | UnixFileMode.GroupRead);

        Should.Throw<ConfigurationException>(Load).Message.ShouldContain("chmod 600");
    }

    [Fact]
    public void CertificateThatACrashKeptFromBeingWrittenIsMadeForTheKeyThatIsThere()
    {
        Load().Dispose();
        var key = File.ReadAllText(_directory.File("key.pem"));
        File.Delete(_directory.File("certificate.pem"));

        using var identity = Load();

        File.ReadAllText(_directory.File("key.pem")).ShouldBe(key);
    }

    [Theory]
    [InlineData("key.pem", null)]
    [InlineData("key.pem", "no key")]
    [InlineData("key.pem", "")]
    [InlineData("certificate.pem", "no certificate")]
    public void WhatIsDamagedIsNamedAndNeverReplaced(string file, string? content)
    {
        Load().Dispose();
        if (content is null)
        {
            File.Delete(_directory.File(file));
        }
        else
        {
            File.WriteAllText(_directory.File(file), content);
        }

        Should.Throw<ConfigurationException>(Load).Message.ShouldContain(_directory.File(file));
        File.Exists(_directory.File(file)).ShouldBe(content is not null);
    }

    [Fact]
    public void CertificateOfAnotherKeyIsRefused()
    {
        using var other = new TemporaryDirectory();
        DaemonIdentity.LoadOrCreate(other.Path, "h1").Dispose();
        Load().Dispose();
        File.Copy(other.File("certificate.pem"), _directory.File("certificate.pem"), overwrite: true);

        Should.Throw<ConfigurationException>(Load).Message.ShouldContain("no certificate of the key beside it");
    }

    [Fact]
    public void FingerprintIsReadBackInItsOneForm()
    {
        using var identity = Load();

        Fingerprint.TryParse(identity.Fingerprint, out var hash).ShouldBeTrue();
        Fingerprint.Format(hash).ShouldBe(identity.Fingerprint);
        Fingerprint.TryParse(identity.Fingerprint.ToLowerInvariant(), out _).ShouldBeFalse();
        Fingerprint.TryParse(identity.Fingerprint.Replace(':', '-'), out _).ShouldBeFalse();
        Fingerprint.TryParse(identity.Fingerprint[3..], out _).ShouldBeFalse();
    }

    private DaemonIdentity Load() => DaemonIdentity.LoadOrCreate(_directory.Path, "h1");
}
