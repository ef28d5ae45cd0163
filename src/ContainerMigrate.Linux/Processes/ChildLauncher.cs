using System.Collections;
using System.Runtime.InteropServices;
using ContainerMigrate.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Processes;

/// <summary>Our ends of a child's three standard streams, and its pid.</summary>
internal sealed record LaunchedChild(int Pid, SafePipeHandle Input, SafePipeHandle Output, SafePipeHandle Error);

/// <summary>Spawns a program from the calling thread, in whose network namespace it starts.</summary>
internal static class ChildLauncher
{
    // Sources of descriptors are moved up here first, so that no target can run over a source that is still needed.
    private const int FirstSource = 64;

    internal static LaunchedChild Launch(ProcessCommand command)
    {
        var input = CreatePipe();
        var output = CreatePipe();
        var error = CreatePipe();
        try
        {
            var pid = Spawn(command, [(0, input.Read), (1, output.Write), (2, error.Write), .. command.Descriptors.Select(d => (d.Key, d.Value))]);
            return new LaunchedChild(pid, input.Write, output.Read, error.Read);
        }
        catch
        {
            input.Write.Dispose();
            output.Read.Dispose();
            error.Read.Dispose();
            throw;
        }
        finally
        {
            input.Read.Dispose();
            output.Write.Dispose();
            error.Write.Dispose();
        }
    }

    private static unsafe int Spawn(ProcessCommand command, IReadOnlyList<(int Target, SafeHandle Source)> descriptors)
    {
        var actions = stackalloc byte[PosixSpawn.OpaqueSize];
        var attributes = stackalloc byte[PosixSpawn.OpaqueSize];
        var signals = stackalloc byte[PosixSpawn.OpaqueSize];
        List<int> sources = [];
        using var program = new NativeStrings([command.Program]);
        using var directory = new NativeStrings([command.WorkingDirectory ?? "."]);
        using var arguments = new NativeStrings([command.Program, .. command.Arguments]);
        using var environment = new NativeStrings(BuildEnvironment(command.Environment));
        Check(PosixSpawn.InitializeFileActions(actions));
        Check(PosixSpawn.InitializeAttributes(attributes));
        try
        {
            foreach (var (target, source) in descriptors)
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(target, FirstSource);
                sources.Add(Duplicate(source));
                Check(PosixSpawn.AddDuplicate(actions, sources[^1], target));
            }

            if (command.WorkingDirectory is not null)
            {
                Check(PosixSpawn.AddChangeDirectory(actions, directory.Pointer[0]));
            }

            // The .NET runtime ignores SIGPIPE and handles others; exec keeps what is ignored, so everything is reset.
            _ = PosixSpawn.FillSignals(signals);
            Check(PosixSpawn.SetDefaults(attributes, signals));
            _ = PosixSpawn.EmptySignals(signals);
            Check(PosixSpawn.SetMask(attributes, signals));
            Check(PosixSpawn.SetGroup(attributes, 0));
            Check(PosixSpawn.SetFlags(attributes, PosixSpawn.SetProcessGroup | PosixSpawn.SetSignalDefaults | PosixSpawn.SetSignalMask));
            var result = PosixSpawn.SpawnFromPath(out var pid, program.Pointer[0], actions, attributes, arguments.Pointer, environment.Pointer);
            return result == 0 ? pid : throw new ProcessStartException(DescribeFailure(command, result));
        }
        finally
        {
            _ = PosixSpawn.DestroyFileActions(actions);
            _ = PosixSpawn.DestroyAttributes(attributes);
            sources.ForEach(source => _ = Libc.Close(source));
        }
    }

    // posix_spawn gives the same ENOENT for a missing program and a missing working directory.
    private static string DescribeFailure(ProcessCommand command, int error) =>
        error == Errno.NoEntry && command.WorkingDirectory is { } directory && !Directory.Exists(directory)
            ? $"{command.Program}: working directory {directory}: {Errno.Describe(error)}"
            : $"{command.Program}: {Errno.Describe(error)}";

    private static List<string> BuildEnvironment(IReadOnlyDictionary<string, string?> changes)
    {
        List<string> result = [];
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (!changes.ContainsKey((string)variable.Key))
            {
                result.Add($"{variable.Key}={variable.Value}");
            }
        }

        result.AddRange(changes.Where(change => change.Value is not null).Select(change => $"{change.Key}={change.Value}"));
        return result;
    }

    private static int Duplicate(SafeHandle handle)
    {
        var added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            var duplicate = Libc.Fcntl((int)handle.DangerousGetHandle(), Libc.DuplicateCloseOnExec, FirstSource);
            return duplicate >= 0 ? duplicate : throw Errno.Exception("duplicating a descriptor", Errno.Last);
        }
        finally
        {
            if (added)
            {
                handle.DangerousRelease();
            }
        }
    }

    private static unsafe (SafePipeHandle Read, SafePipeHandle Write) CreatePipe()
    {
        var ends = stackalloc int[2];
        return Libc.Pipe(ends, Libc.OpenCloseOnExec) == 0
            ? (new SafePipeHandle(ends[0], ownsHandle: true), new SafePipeHandle(ends[1], ownsHandle: true))
            : throw Errno.Exception("making a pipe", Errno.Last);
    }

    private static void Check(int error)
    {
        if (error != 0)
        {
            throw Errno.Exception("posix_spawn", error);
        }
    }
}
