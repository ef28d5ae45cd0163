using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// What happened while pages were loading, for the server that takes over. Written and not synced: it has to outlive a process, not the
/// kernel, with which the container would be gone too.
/// </summary>
internal sealed class LazyJournal : IDisposable
{
    private readonly SafeFileHandle _file;
    private long _end;

    internal LazyJournal(string path)
    {
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        var bytes = new byte[RandomAccess.GetLength(_file)];
        _end = RandomAccess.Read(_file, bytes, 0) / JournalRecord.Bytes * JournalRecord.Bytes;
        Earlier = [.. Enumerable.Range(0, (int)_end / JournalRecord.Bytes).Select(i => JournalRecord.Read(bytes.AsSpan(i * JournalRecord.Bytes)))];
    }

    /// <summary>What servers before this one have written; new records follow the last whole one.</summary>
    internal IReadOnlyList<JournalRecord> Earlier { get; }

    internal void Append(in JournalRecord entry)
    {
        Span<byte> bytes = stackalloc byte[JournalRecord.Bytes];
        entry.Write(bytes);
        RandomAccess.Write(_file, bytes, _end);
        _end += bytes.Length;
    }

    public void Dispose() => _file.Dispose();
}
