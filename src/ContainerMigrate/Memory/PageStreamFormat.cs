namespace ContainerMigrate.Memory;

/// <summary>
/// The stream in which pages of processes travel, one for each round. All numbers are little endian.
/// <code>
/// stream = header frame* end
/// header = u64 magic, u16 version, u16 0
/// frame  = u32 runs (1..MaxRuns), u32 pages (0..MaxPages), run*, pages * 4096 bytes
/// run    = u64 address, i32 pid, u32 pages (lower 30 bits) and kind (upper 2: 0 data, 1 zero, 2 dropped, 3 missing)
/// end    = u32 0, u32 0, u64 data pages, u64 zero pages, u64 dropped pages, u64 missing pages, u64 digest (XXH64 over everything after the header and before it)
/// </code>
/// A frame holds many runs, since what a process has dirtied is mostly single pages; the pages of all its data runs follow its table in
/// the runs' order. A later run of a page counts. As with files the digest finds accidents; who wrote the stream is for TLS to say.
/// </summary>
public static class PageStreamFormat
{
    /// <summary>"CTMPAGE" and a zero byte.</summary>
    public const ulong Magic = 0x0045_4741_504D_5443;

    /// <summary>Raised with every change that an older receiver would misread.</summary>
    public const ushort Version = 2;

    /// <summary>Bytes of magic, version and reserve.</summary>
    public const int HeaderLength = 12;

    /// <summary>Bytes of a frame before its table.</summary>
    public const int FrameHeadLength = 2 * sizeof(uint);

    /// <summary>Pages with content in a frame: 1 MiB.</summary>
    public const int MaxPages = 256;

    /// <summary>Rows of a frame's table: 16 KiB.</summary>
    public const int MaxRuns = 1024;

    /// <summary>Bytes behind the last frame.</summary>
    public const int EndLength = FrameHeadLength + (5 * sizeof(ulong));

    /// <summary>The largest frame without its head.</summary>
    internal const int MaxBodyLength = (MaxRuns * PageRun.Bytes) + (MaxPages * MemoryPage.Bytes);
}
