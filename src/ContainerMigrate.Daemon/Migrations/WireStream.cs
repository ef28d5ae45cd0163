namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The body of a request while it is sent; remembers whether it was the connection that failed, and not whoever writes.</summary>
internal sealed class WireStream(Stream connection) : Stream
{
    /// <summary>True once the connection has refused a write.</summary>
    public bool IsBroken { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            connection.Write(buffer);
        }
        catch when (Note())
        {
            throw;
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await connection.WriteAsync(buffer, cancellationToken);
        }
        catch when (Note())
        {
            throw;
        }
    }

    public override void Flush()
    {
        try
        {
            connection.Flush();
        }
        catch when (Note())
        {
            throw;
        }
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await connection.FlushAsync(cancellationToken);
        }
        catch when (Note())
        {
            throw;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private bool Note() => IsBroken = true;
}
