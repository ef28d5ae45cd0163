using System.Globalization;
using ContainerMigrate.Linux.Host;
using ContainerMigrate.Linux.Interop;
using ContainerMigrate.Memory;
using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory;

/// <summary>Reads through <c>/proc/PID/mem</c>, which stays with one address space for as long as it is open.</summary>
public sealed class FrozenMemory : IFrozenMemory
{
    // Of /proc/PID/stat behind the command's name: field 22 of proc_pid_stat(5), where the first is its third.
    private const int StartTimeField = 22 - 3;

    /// <inheritdoc/>
    public LeftProcess Identify(ContainerProcessId process) => new(process.InnerId, process.HostId, StartTimeOf(process.HostId));

    /// <inheritdoc/>
    public IFrozenPages Open(IReadOnlyCollection<LeftProcess> processes)
    {
        ArgumentNullException.ThrowIfNull(processes);
        Dictionary<int, SafeFileHandle> open = [];
        foreach (var process in processes)
        {
            if (TryOpen(process) is { } memory)
            {
                open[process.ProcessId] = memory;
            }
        }

        return new Pages(open);
    }

    private static SafeFileHandle? TryOpen(LeftProcess process)
    {
        try
        {
            var memory = File.OpenHandle(string.Create(CultureInfo.InvariantCulture, $"/proc/{process.HostId}/mem"));
            if (StartTimeOf(process.HostId) == process.StartTime)
            {
                return memory; // looked at after the file was opened: it is this one's
            }

            memory.Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static long StartTimeOf(int processId) =>
        ProcText.ReadStatFields(processId) is { Length: > StartTimeField } fields ? long.Parse(fields[StartTimeField], CultureInfo.InvariantCulture) : -1;

    private sealed class Pages(Dictionary<int, SafeFileHandle> processes) : IFrozenPages
    {
        public unsafe int Read(int processId, ulong address, Span<byte> destination)
        {
            if (!processes.TryGetValue(processId, out var memory))
            {
                return 0;
            }

            var read = 0;
            fixed (byte* start = destination)
            {
                // The kernel stops at the first page that it cannot read.
                while (read < destination.Length && Libc.ReadAt(memory, start + read, (nuint)(destination.Length - read), (long)address + read) is > 0 and var count)
                {
                    read += (int)count;
                }
            }

            return read >> MemoryPage.Shift;
        }

        public void Dispose()
        {
            foreach (var memory in processes.Values)
            {
                memory.Dispose();
            }
        }
    }
}
