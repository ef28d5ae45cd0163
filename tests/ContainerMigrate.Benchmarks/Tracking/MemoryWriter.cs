using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace ContainerMigrate.Benchmarks.Tracking;

/// <summary>A process that writes all pages of its memory, whole and in order, as fast as it can, again and again.</summary>
internal sealed class MemoryWriter : IDisposable
{
    public const string Verb = "write-memory";
    private const int PageBytes = 4096;

    private readonly Process _process;
    private readonly List<(TimeSpan At, long Pages)> _counts = [];

    private MemoryWriter(Process process)
    {
        _process = process;
        new Thread(ReadCounts) { IsBackground = true }.Start();
    }

    public int Id => _process.Id;

    /// <summary>Begins at once.</summary>
    public static MemoryWriter Start(int mebibytes) => new(Process.Start(new ProcessStartInfo(
        Environment.ProcessPath!, [Verb, mebibytes.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true, UseShellExecute = false })!);

    /// <summary>The process's own side: a line of time (of the machine's monotonic clock, in ticks) and pages written so far each 10 ms. Does not return.</summary>
    public static unsafe void Run(int mebibytes)
    {
        var pages = mebibytes * 256;
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)pages * PageBytes, PageBytes);
        using var output = Console.Out;
        var written = 0L;
        var next = 0L;
        while (true)
        {
            for (var page = 0; page < pages; page++)
            {
                NativeMemory.Fill(memory + ((nint)page * PageBytes), PageBytes, (byte)written++);
                if ((page & 255) == 0 && Stopwatch.GetTimestamp() is var now && now >= next)
                {
                    output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{now} {written}"));
                    output.Flush();
                    next = now + (Stopwatch.Frequency / 100);
                }
            }
        }
    }

    /// <summary>How many pages a second were written between two moments of <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public double PagesPerSecond(long from, long to)
    {
        lock (_counts)
        {
            var within = _counts.Where(c => c.At.Ticks >= from && c.At.Ticks <= to).ToList();
            return within.Count < 2 ? double.NaN : (within[^1].Pages - within[0].Pages) / ((within[^1].At - within[0].At).Ticks / (double)Stopwatch.Frequency);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private void ReadCounts()
    {
        while (_process.StandardOutput.ReadLine()?.Split(' ') is [var at, var pages])
        {
            lock (_counts)
            {
                _counts.Add((TimeSpan.FromTicks(long.Parse(at, CultureInfo.InvariantCulture)), long.Parse(pages, CultureInfo.InvariantCulture)));
            }
        }
    }
}
