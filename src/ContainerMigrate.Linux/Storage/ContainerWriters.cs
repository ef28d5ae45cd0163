using System.Globalization;
using System.Text;

namespace ContainerMigrate.Linux.Storage;

/// <summary>
/// The files of a tree that the container's processes have mapped, or open for writing. What is stored through a mapping after the first
/// store, or written by a write(2) that goes on for long, leaves no later time than its beginning; whoever does that has the file in hand
/// from before that time on, so who is seen here, before the files are read, is all who can.
/// </summary>
internal sealed class ContainerWriters
{
    // One write(2) brings 2 GiB at most.
    private static readonly TimeSpan LongestWrite = TimeSpan.FromMinutes(10);

    // Coarse clocks of the kernel go by ticks of up to 10 ms.
    private static readonly TimeSpan ClockMargin = TimeSpan.FromMilliseconds(50);

    private const int MaxPasses = 4;

    private readonly HashSet<ulong> _mapped = [];
    private readonly HashSet<ulong> _opened = [];
    private readonly long _seen;
    private bool _isUnsure;

    private ContainerWriters()
    {
        _seen = (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) * 100;
    }

    /// <summary>Looks at all processes of a container.</summary>
    /// <param name="tree">Root of its files.</param>
    /// <param name="cgroupDirectory">Of the container.</param>
    /// <param name="initPid">Whose root is the container's.</param>
    /// <param name="mountPoint">Where it is mounted in the container; null for the root's own files.</param>
    public static ContainerWriters Find(DirectoryCursor tree, string cgroupDirectory, int initPid, string? mountPoint = null)
    {
        var writers = new ContainerWriters();
        var place = new ContainerFiles(tree, initPid, mountPoint);
        var seen = new HashSet<int>();
        for (var pass = 0; ; pass++)
        {
            // A process that has forked and ended in between has left what it had to another.
            var processes = ReadProcesses(cgroupDirectory);
            var isComplete = processes is not null;
            foreach (var process in processes?.Where(seen.Add) ?? [])
            {
                isComplete = false;
                writers.Look(place, process);
            }

            if (isComplete)
            {
                return writers;
            }

            if (pass == MaxPasses)
            {
                writers._isUnsure = true;
                return writers;
            }
        }
    }

    /// <summary>Why an entry that is read from now on may be changed later without a trace.</summary>
    public EntryDoubt Doubt(EntryStamp stamp)
    {
        var age = _seen - stamp.Changed;
        if (age < ClockMargin.TotalNanoseconds)
        {
            return EntryDoubt.Fresh; // and where it lies in the future
        }

        return IsWriting(stamp) ? EntryDoubt.Writer
            : _isUnsure && stamp.IsFile && age < LongestWrite.TotalNanoseconds ? EntryDoubt.Fresh
            : EntryDoubt.None;
    }

    /// <summary>Whether somebody may be writing to a file since before now.</summary>
    public bool IsWriting(EntryStamp stamp) =>
        _mapped.Contains(stamp.Inode) || (_opened.Contains(stamp.Inode) && _seen - stamp.Changed < LongestWrite.TotalNanoseconds);

    /// <summary>Null when a cgroup in it went away meanwhile.</summary>
    private static List<int>? ReadProcesses(string cgroupDirectory)
    {
        var processes = new List<int>();
        try
        {
            foreach (var file in Directory.EnumerateFiles(cgroupDirectory, "cgroup.procs", SearchOption.AllDirectories))
            {
                processes.AddRange(File.ReadLines(file).Select(l => int.TryParse(l, CultureInfo.InvariantCulture, out var process) ? process : 0).Where(p => p > 0));
            }

            return processes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Look(ContainerFiles place, int process)
    {
        try
        {
            foreach (var path in Directory.EnumerateFiles($"/proc/{process}/fd"))
            {
                if (ContainerFiles.IsWritable(path))
                {
                    Add(_opened, place.Find(path));
                }
            }

            foreach (var line in File.ReadLines($"/proc/{process}/maps", Encoding.Latin1))
            {
                // 7f01-7f02 rw-s 00000000 fe:00 1024   /data/base: what is not writable just now may have been, and can be again without a fault,
                // unless the file was opened for reading only.
                var space = line.IndexOf(' ', StringComparison.Ordinal);
                if (space > 0 && line.Length > space + 4 && line[space + 4] == 's'
                    && $"/proc/{process}/map_files/{line[..space]}" is var link && ContainerFiles.IsWritable(link))
                {
                    Add(_mapped, place.Find(link));
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended. What it was about to write, it has written.
        }
    }

    private void Add(HashSet<ulong> inodes, ulong? inode)
    {
        if (inode is null)
        {
            _isUnsure = true;
        }
        else if (inode != 0)
        {
            inodes.Add(inode.Value);
        }
    }
}
