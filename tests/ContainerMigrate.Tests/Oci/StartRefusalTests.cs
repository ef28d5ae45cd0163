using ContainerMigrate.Linux.Runtimes.Oci;
using ContainerMigrate.Tests.Daemon;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Oci;

public sealed class StartRefusalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly RestoreLayout _layout;
    private readonly StartRefusal _refusal;

    public StartRefusalTests()
    {
        _layout = new RestoreLayout(_directory.Path);
        _refusal = new StartRefusal(_layout);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ReasonIsOneLineWhereTheWrapperLooks()
    {
        _refusal.Refuse("c0ffee", "it is being\nhanded over");
        _refusal.Refuse("c0ffee", "it is still being\nhanded over");

        File.ReadAllText(_directory.File("refused/c0ffee")).ShouldBe("it is still being handed over\n");
        Directory.GetFiles(_layout.RefusedDirectory).ShouldHaveSingleItem();
    }

    [Fact]
    public void AllowedContainerHasNoMark()
    {
        _refusal.Allow("c0ffee");
        _refusal.Refuse("c0ffee", "reason");
        _refusal.Allow("c0ffee");
        _refusal.Allow("c0ffee");

        Directory.GetFiles(_layout.RefusedDirectory).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("../../etc/passwd")]
    public void IdThatIsAPathIsRefused(string id)
    {
        Should.Throw<ArgumentException>(() => _refusal.Refuse(id, "reason"));
        Should.Throw<ArgumentException>(() => _refusal.Allow(id));
        Should.Throw<ArgumentException>(() => _layout.RestoreDirectory(id));
    }
}
