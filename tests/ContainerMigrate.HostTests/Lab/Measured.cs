namespace ContainerMigrate.HostTests.Lab;

/// <summary>Figures of the running test, for whoever reads its output.</summary>
public static class Measured
{
    public static void Write(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
