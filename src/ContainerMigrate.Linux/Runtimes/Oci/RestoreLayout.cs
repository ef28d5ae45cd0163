namespace ContainerMigrate.Linux.Runtimes.Oci;

/// <summary>Paths and file names shared with the shell side of the wrapper contract (hooks/README.md).</summary>
public sealed class RestoreLayout
{
    public const string HookDirectory = "/usr/lib/ctmigrate";

    private readonly string _stateDirectory;

    /// <param name="stateDirectory"><c>/var/lib/ctmigrate</c>; the hooks know no other place.</param>
    public RestoreLayout(string stateDirectory = "/var/lib/ctmigrate") => _stateDirectory = stateDirectory;

    /// <summary>The wrapper that stands in for runc.</summary>
    public static string WrapperPath => HookDirectory + "/ctmigrate-runc";

    /// <summary>CRIU's action script.</summary>
    public static string CriuHookPath => HookDirectory + "/ctmigrate-criu-hook";

    /// <summary>The prestart hook that fences the network namespace before the runtime attaches it.</summary>
    public static string FenceHookPath => HookDirectory + "/ctmigrate-fence-hook";

    /// <summary>Programs that CRIU is to find before the ones of the host.</summary>
    public static string CriuProgramsDirectory => HookDirectory + "/criu-path";

    public string RestoresDirectory => Path.Combine(_stateDirectory, "restores");

    /// <summary>The wrapper refuses to start a container that is named here; the file's one line says why.</summary>
    public string RefusedDirectory => Path.Combine(_stateDirectory, "refused");

    /// <exception cref="ArgumentException">The id is none that Docker or runc would give: it may not be a path.</exception>
    public string RestoreDirectory(string containerId) => Path.Combine(RestoresDirectory, Checked(containerId));

    public string RefusedFile(string containerId) => Path.Combine(RefusedDirectory, Checked(containerId));

    private static string Checked(string containerId) =>
        Containers.ManifestValidator.IsName(containerId)
            ? containerId
            : throw new ArgumentException($"'{containerId}' is not a container id", nameof(containerId));
}
