using ContainerMigrate.Daemon.Peers;
using Microsoft.AspNetCore.Connections;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.Peers;

public sealed class ConnectionMemoryTests
{
    [Fact]
    public void HandsOutMoreThanIsAskedFor()
    {
        using var pool = new ConnectionMemory().Create();

        using var block = pool.Rent(4096);

        block.Memory.Length.ShouldBe(pool.MaxBufferSize);
        pool.MaxBufferSize.ShouldBeGreaterThanOrEqualTo(64 << 10);
        Should.Throw<ArgumentOutOfRangeException>(() => pool.Rent(pool.MaxBufferSize + 1));
    }

    [Fact]
    public void UsesABlockAgainOnceAndOnlyWhenItWasGivenBack()
    {
        using var pool = new ConnectionMemory().Create();
        var first = pool.Rent();
        first.Memory.Span[0] = 77;
        first.Dispose();
        first.Dispose();

        using var second = pool.Rent();
        using var third = pool.Rent();

        second.Memory.Span[0].ShouldBe((byte)77);
        third.Memory.Span.Overlaps(second.Memory.Span).ShouldBeFalse();
        Should.Throw<ObjectDisposedException>(() => first.Memory);
    }

    [Fact]
    public async Task ConnectionsReadIntoIt()
    {
        await using var daemon = await RunningDaemon.StartAsync("h1");

        daemon.Get<IMemoryPoolFactory<byte>>().ShouldBeOfType<ConnectionMemory>();
    }
}
