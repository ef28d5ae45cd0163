using Shouldly;

namespace ContainerMigrate.Tests.Storage;

/// <summary>A target for what a hostile peer sends, beside something that must be as it was when the test is over.</summary>
public abstract class HostileTree : IDisposable
{
    private readonly string _outsideBefore;

    protected HostileTree()
    {
        TestTree.RequireRoot();
        Target = Sandbox.Make("target");
        Outside = Sandbox.Make("outside");
        File.WriteAllText(Path.Combine(Outside, "precious"), "precious");
        _outsideBefore = TreeDigest.Of(Outside, withAccessTimes: false);
    }

    /// <summary>Has the target and the outside in it, and at the end nothing else.</summary>
    private protected TestDirectory Sandbox { get; } = new();

    protected string Target { get; }

    protected string Outside { get; }

    public void Dispose()
    {
        try
        {
            TreeDigest.Differences(_outsideBefore, TreeDigest.Of(Outside, withAccessTimes: false)).ShouldBeEmpty();
            Directory.GetFileSystemEntries(Sandbox.Path).Length.ShouldBe(2);
        }
        finally
        {
            Sandbox.Dispose();
            GC.SuppressFinalize(this);
        }
    }
}
