using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ContainerMigrate.Daemon.Configuration;
using ContainerMigrate.Linux.Files;

namespace ContainerMigrate.Daemon.Identity;

/// <summary>
/// This host's key (EC P-256) and self-signed certificate. Peers pin the certificate itself: there is no authority, no
/// name in it that anybody checks, and no date on which it stops working.
/// </summary>
internal sealed class DaemonIdentity : IDisposable
{
    private const UnixFileMode OwnerReadWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private DaemonIdentity(X509Certificate2 certificate)
    {
        Certificate = certificate;
        Fingerprint = Daemon.Identity.Fingerprint.Of(certificate);

        // Given a context, SslStream sends this one certificate and does not look for a chain on disk or in the network.
        TlsContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
    }

    /// <summary>With its private key.</summary>
    public X509Certificate2 Certificate { get; }

    public SslStreamCertificateContext TlsContext { get; }

    /// <summary>See <see cref="Identity.Fingerprint"/>. A peer that shows the same one is this very daemon (or a clone of its disk).</summary>
    public string Fingerprint { get; }

    /// <summary>Reads the identity; makes it on the first start.</summary>
    /// <param name="directory">Exists, 0700; holds <c>key.pem</c> (0600) and <c>certificate.pem</c>.</param>
    /// <param name="hostName">Goes into a new certificate as its subject, for people who look at it.</param>
    /// <exception cref="ConfigurationException">What is there cannot be used; nothing is ever replaced.</exception>
    public static DaemonIdentity LoadOrCreate(string directory, string hostName)
    {
        var keyFile = Path.Combine(directory, "key.pem");
        var certificateFile = Path.Combine(directory, "certificate.pem");
        try
        {
            if (!File.Exists(keyFile))
            {
                if (File.Exists(certificateFile))
                {
                    throw new ConfigurationException($"{certificateFile} has lost its key {keyFile}: put the key back, or delete the certificate for a new identity and pair again with every host");
                }

                using var newKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
                DurableFile.Replace(keyFile, Encoding.ASCII.GetBytes(newKey.ExportPkcs8PrivateKeyPem() + "\n"), OwnerReadWrite);
            }

            if ((File.GetUnixFileMode(keyFile) & ~OwnerReadWrite) != UnixFileMode.None)
            {
                throw new ConfigurationException($"{keyFile} must be readable by its owner alone: chmod 600 {keyFile}");
            }

            // The certificate is written after the key: nobody can have pinned one that a crash kept from being written.
            using var key = ReadKey(keyFile);
            if (!File.Exists(certificateFile))
            {
                using var created = CreateCertificate(key, hostName);
                DurableFile.Replace(certificateFile, Encoding.ASCII.GetBytes(created.ExportCertificatePem() + "\n"), OwnerReadWrite);
            }

            return new DaemonIdentity(ReadCertificate(certificateFile, key));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"the identity in {directory} cannot be read or made: {e.Message}", e);
        }
    }

    public void Dispose() => Certificate.Dispose();

    private static ECDsa ReadKey(string file)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(file));
            return key;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw new ConfigurationException($"{file} is not a private key in PEM: put it back, or delete {Path.GetDirectoryName(file)} for a new identity and pair again with every host", e);
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    private static X509Certificate2 ReadCertificate(string file, ECDsa key)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(file));
            return certificate.CopyWithPrivateKey(key);
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new ConfigurationException($"{file} is no certificate of the key beside it: put it back, or delete {Path.GetDirectoryName(file)} for a new identity and pair again with every host", e);
        }
    }

    private static X509Certificate2 CreateCertificate(ECDsa key, string hostName)
    {
        var request = new CertificateRequest(new X500DistinguishedName($"CN={hostName}, O=ContainerMigrate"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));

        // Valid from long ago for ever (RFC 5280, 4.1.2.5): a host whose clock is wrong must still be reachable.
        return request.CreateSelfSigned(new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.Zero));
    }
}
