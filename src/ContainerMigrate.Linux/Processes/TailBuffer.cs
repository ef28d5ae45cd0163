using System.Text;

namespace ContainerMigrate.Linux.Processes;

/// <summary>Keeps the last bytes of an output of any length.</summary>
internal sealed class TailBuffer(int capacity)
{
    private readonly Lock _lock = new();
    private byte[] _bytes = new byte[Math.Min(capacity, 4096)];
    private long _written;

    internal bool Truncated
    {
        get
        {
            lock (_lock)
            {
                return _written > capacity;
            }
        }
    }

    internal void Append(ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            var total = _written + data.Length;
            if (_bytes.Length < capacity && total > _bytes.Length)
            {
                // Not wrapped yet: everything so far stands at its place from 0 on.
                Array.Resize(ref _bytes, (int)Math.Min(capacity, Math.Max(total, _bytes.Length * 2L)));
            }

            if (data.Length > _bytes.Length)
            {
                _written += data.Length - _bytes.Length;
                data = data[^_bytes.Length..];
            }

            var start = (int)(_written % _bytes.Length);
            var first = Math.Min(data.Length, _bytes.Length - start);
            data[..first].CopyTo(_bytes.AsSpan(start));
            data[first..].CopyTo(_bytes);
            _written = total;
        }
    }

    public override string ToString()
    {
        lock (_lock)
        {
            if (_written <= _bytes.Length)
            {
                return Encoding.UTF8.GetString(_bytes, 0, (int)_written);
            }

            var start = (int)(_written % _bytes.Length);
            byte[] ordered = [.. _bytes.AsSpan(start), .. _bytes.AsSpan(0, start)];
            return Encoding.UTF8.GetString(ordered);
        }
    }
}
