using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Migrations;

/// <summary>The body of a request while it is sent; remembers whether it was the connection that failed, and not whoever writes.</summary>
internal sealed class WireStream(Stream connection) : WriteOnlyStream
{
    /// <summary>True once the connection has refused a write.</summary>
    public bool IsBroken { get; private set; }

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

    private bool Note() => IsBroken = true;
}
