namespace ContainerMigrate.Daemon;

/// <summary>Tells by which listener a connection came in. Set on the connection by the listener itself, never by anything a client sends.</summary>
internal sealed class ListenerFeature
{
    public static readonly ListenerFeature Local = new();
    public static readonly ListenerFeature Peer = new();

    private ListenerFeature()
    {
    }
}
