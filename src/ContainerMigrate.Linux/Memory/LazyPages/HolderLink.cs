using Microsoft.Win32.SafeHandles;

namespace ContainerMigrate.Linux.Memory.LazyPages;

/// <summary>
/// The server's connection to the process that holds duplicates of its descriptors (<see cref="UserfaultHolder"/>). The server works
/// without one too; it then tries to find one, since without both the container would read zeros.
/// </summary>
internal sealed class HolderLink(string path) : IDisposable
{
    private DescriptorChannel? _channel;

    internal bool IsConnected => _channel is not null;

    internal SafeFileHandle? Handle => _channel?.Handle;

    /// <summary>Connects, and takes what the holder has from a server before this one.</summary>
    /// <param name="take">Told of each message up to <see cref="HeldKind.All"/>; owns the descriptor.</param>
    internal bool TryConnect(Action<HeldMessage, SafeFileHandle?> take)
    {
        _channel ??= DescriptorChannel.TryConnect(path, DescriptorChannel.Packets);
        while (_channel is not null && TryReceive(out var message, out var descriptor))
        {
            if (message.Kind == HeldKind.All)
            {
                return true;
            }

            take(message, descriptor);
        }

        return false;
    }

    /// <summary>Waits for a message.</summary>
    /// <returns>False when the holder is gone.</returns>
    internal bool TryReceive(out HeldMessage message, out SafeFileHandle? descriptor)
    {
        Span<byte> bytes = stackalloc byte[HeldMessage.Bytes];
        descriptor = null;
        if (_channel?.Receive(bytes, 0, out descriptor) == bytes.Length)
        {
            message = HeldMessage.Read(bytes);
            return true;
        }

        message = default;
        Lose();
        return false;
    }

    /// <summary>Says something; a holder that is gone is told when there is one again, since then everything is said anew.</summary>
    internal void Send(in HeldMessage message, SafeFileHandle? descriptor = null) =>
        Send(message, descriptor is null ? DescriptorChannel.NoDescriptor : (int)descriptor.DangerousGetHandle());

    /// <summary>The same, allocating nothing.</summary>
    internal void Send(in HeldMessage message, int descriptor)
    {
        Span<byte> bytes = stackalloc byte[HeldMessage.Bytes];
        message.Write(bytes);
        if (_channel is not null && !_channel.TrySend(bytes, descriptor))
        {
            Lose();
        }
    }

    public void Dispose() => Lose();

    private void Lose()
    {
        _channel?.Dispose();
        _channel = null;
    }
}
