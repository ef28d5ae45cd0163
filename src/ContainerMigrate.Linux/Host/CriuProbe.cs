using System.Net.Sockets;
using ContainerMigrate.Linux.Processes;

namespace ContainerMigrate.Linux.Host;

/// <summary>CRIU as it is on this host.</summary>
/// <param name="Version"><c>4.2.1</c>; empty when there is none.</param>
/// <param name="Problem">Why it does not run, or does not work with this kernel; empty when it does, or when there is none.</param>
internal sealed record CriuStatus(string Version, string Problem);

/// <summary>Asks CRIU and the kernel whether they get on.</summary>
internal sealed class CriuProbe(IProcessRunner processes, string program)
{
    // The first release that does without SO_PASSCRED on sockets of the internet families.
    private static readonly Version WithRestrictedPassCredentials = new(4, 2);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    internal async Task<CriuStatus> ReadAsync(CancellationToken cancellationToken)
    {
        var asked = await processes.RunAsync(new ProcessCommand(program, "--version") { Timeout = Limit }, cancellationToken);
        var version = ParseVersion(asked.StandardOutput);
        if (version.Length == 0)
        {
            return new CriuStatus("", asked.ExitCode == ProcessResult.NotStarted ? "" : asked.FailureReason);
        }

        var check = await processes.RunAsync(new ProcessCommand(program, "check") { Timeout = Limit }, cancellationToken);
        return new CriuStatus(version, check.Succeeded ? FindSocketProblem(version, KernelRestrictsPassCredentials()) : FindRootCause(check));
    }

    /// <summary>From <c>Version: 4.2.1</c>, with or without a <c>GitID</c> line; empty when it says nothing of the kind.</summary>
    internal static string ParseVersion(string output) => ProcText.FindField(output, "Version") ?? "";

    /// <summary>The first error CRIU wrote that is not the exit of a child.</summary>
    internal static string FindRootCause(ProcessResult check)
    {
        var errors = (check.StandardError + "\n" + check.StandardOutput).Split('\n').Where(line => line.Contains("Error (", StringComparison.Ordinal)).ToList();
        var cause = errors.Find(line => !line.Contains("exited, status", StringComparison.Ordinal)) ?? check.FailureReason;
        var message = cause.IndexOf("): ", StringComparison.Ordinal);
        return message < 0 ? cause.Trim() : cause[(message + 3)..].Trim();
    }

    internal static string FindSocketProblem(string version, bool kernelRestrictsPassCredentials) =>
        kernelRestrictsPassCredentials && System.Version.TryParse(version, out var parsed) && parsed < WithRestrictedPassCredentials
            ? $"it cannot dump TCP sockets on this kernel, CRIU {WithRestrictedPassCredentials} or newer can"
            : "";

    // Since 6.16 the kernel has SO_PASSCRED for unix and netlink sockets only; criu check asks for it on neither.
    private static bool KernelRestrictsPassCredentials()
    {
        const int SocketLevel = 1; // SOL_SOCKET
        const int PassCredentials = 16; // SO_PASSCRED
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.GetRawSocketOption(SocketLevel, PassCredentials, stackalloc byte[sizeof(int)]);
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
