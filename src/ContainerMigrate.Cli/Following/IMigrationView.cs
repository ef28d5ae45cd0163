using ContainerMigrate.Api;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Following;

/// <summary>Shows one migration while it goes on. Disposing takes away whatever is drawn.</summary>
internal interface IMigrationView : IAsyncDisposable
{
    void Show(MigrationStatus status);

    /// <summary>Something that the person in front of it should know now: a lost connection, a cancellation under way.</summary>
    void Note(string text);

    /// <summary>The last word. Errors are not its business: they go to the standard error stream.</summary>
    ValueTask FinishAsync(MigrationStatus status, MigrationVerdict verdict);
}
