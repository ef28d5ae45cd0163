namespace ContainerMigrate.Migration;

/// <summary>Counts what is written through it, says so at most every <see cref="CountingProgress.Step"/> bytes, and keeps to a rate. Does not own the inner stream.</summary>
internal sealed class CountingStream(Stream inner, CountingProgress counter, BandwidthLimit limit) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => counter.Bytes;
        set => throw new NotSupportedException();
    }

    /// <summary>The rate is kept by waiting, which only the asynchronous form can do well.</summary>
    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await limit.TakeAsync(buffer.Length, cancellationToken);
        await inner.WriteAsync(buffer, cancellationToken);
        counter.Add(buffer.Length);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>Bytes that have gone through a <see cref="CountingStream"/>; what a writer reports by itself is left out, the stream sees it all.</summary>
internal sealed class CountingProgress(IProgress<long> target) : IProgress<long>
{
    /// <summary>Bytes between two reports.</summary>
    public const long Step = 4 << 20;

    private long _reported;

    public long Bytes { get; private set; }

    public void Add(int bytes)
    {
        Bytes += bytes;
        if (Bytes - _reported >= Step)
        {
            _reported = Bytes;
            target.Report(Bytes);
        }
    }

    public void Report(long value)
    {
    }
}
