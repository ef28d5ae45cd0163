namespace ContainerMigrate.Checks;

/// <summary>Names of all checks, as <c>--skip</c> takes them.</summary>
public static class CheckNames
{
    public const string Criu = "criu";
    public const string Kernel = "kernel";
    public const string Cpu = "cpu";
    public const string Runtime = "runtime";
    public const string Wrapper = "wrapper";
    public const string Storage = "storage";
    public const string Image = "image";
    public const string Memory = "memory";
    public const string Disk = "disk";
    public const string Name = "name";
    public const string Address = "address";
    public const string Network = "network";
    public const string Clock = "clock";
    public const string Exec = "exec";
    public const string Terminal = "tty";
    public const string Mounts = "mounts";
    public const string Stdio = "stdio";
    public const string Privileged = "privileged";
    public const string Namespaces = "namespaces";
    public const string IoUring = "io_uring";
    public const string Devices = "devices";
    public const string Settings = "settings";
    public const string State = "state";
    public const string Processes = "processes";
    public const string Throttle = "throttle";

    /// <summary>Every name, in the order in which reports show them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        State, Criu, Kernel, Cpu, Runtime, Wrapper, Storage, Image, Memory, Disk, Name, Address, Network, Clock, Exec,
        Terminal, Mounts, Stdio, Privileged, Namespaces, IoUring, Devices, Settings, Processes, Throttle,
    ];
}
