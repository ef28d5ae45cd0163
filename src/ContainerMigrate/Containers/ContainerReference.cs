namespace ContainerMigrate.Containers;

/// <summary>Names one container of one runtime on this host.</summary>
/// <param name="Runtime">The runtime's name: <c>docker</c> or <c>runc</c>.</param>
/// <param name="Id">The runtime's full identifier (Docker: 64 hexadecimal digits).</param>
/// <param name="Name">What the operator calls it; the same as <paramref name="Id"/> for runc.</param>
public sealed record ContainerReference(string Runtime, string Id, string Name)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Runtime}:{Name}";
}
