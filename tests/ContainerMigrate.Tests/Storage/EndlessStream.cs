namespace ContainerMigrate.Tests.Storage;

/// <summary>The blocks of one stream without its end, then those of further ones, forever.</summary>
internal sealed class EndlessStream : Stream
{
    private const int EndLength = 20;
    private readonly Func<long, byte[]> _next;
    private byte[] _current;
    private int _position;
    private long _number;

    public EndlessStream(byte[] first, byte[] then)
        : this(first, _ => then)
    {
    }

    public EndlessStream(byte[] first, Func<long, byte[]> next)
    {
        _current = first[..^EndLength];
        _next = next;
    }

    public long BytesRead { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => BytesRead; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        if (_position == _current.Length)
        {
            _current = _next(_number++)[..^EndLength];
            _position = 0;
        }

        var count = Math.Min(buffer.Length, _current.Length - _position);
        _current.AsSpan(_position, count).CopyTo(buffer);
        _position += count;
        BytesRead += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(Read(buffer.Span));
    }

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
