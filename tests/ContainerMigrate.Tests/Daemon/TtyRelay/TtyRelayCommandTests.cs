using System.Diagnostics;
using System.Text;
using ContainerMigrate.Daemon.TtyRelay;
using Microsoft.Win32.SafeHandles;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Daemon.TtyRelay;

/// <summary>The relay as a process between two terminals of the test's own: the shim's and the restored container's.</summary>
public sealed class TtyRelayCommandTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly TemporaryDirectory _directory = new();
    private readonly Process _relay;
    private readonly SafeFileHandle _shim;
    private readonly SafeFileHandle _restoredMaster;
    private SafeFileHandle _container;

    public TtyRelayCommandTests()
    {
        (_restoredMaster, _container) = PseudoTerminal.Open();
        using var shim = DescriptorSocket.Listen(_directory.File("shim"));
        _relay = Start(_directory.File("shim"), _directory.File("own"));
        _shim = shim.AcceptDescriptor(giveUpWhenHungUp: _container).ShouldNotBeNull();
        _relay.StandardOutput.ReadLine().ShouldBe("ready");
    }

    public void Dispose()
    {
        _relay.Kill();
        _relay.WaitForExit();
        _relay.Dispose();
        _shim.Dispose();
        _restoredMaster.Dispose();
        _container.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void CarriesWhatIsTypedAndWhatIsPrinted()
    {
        Restore();

        Write(_shim, "typed\u0003\u0004\n"); // keys that would be a signal and an end of file to another terminal
        Read(_container, 8).ShouldBe("typed\u0003\u0004\n");
        Write(_container, "printed\n");
        Read(_shim, 8).ShouldBe("printed\n");
    }

    [Fact]
    public void WhatIsPrintedPassesWhileNobodyReadsWhatIsTyped()
    {
        Restore();
        TerminalLibc.MakeNonBlocking(_shim);
        var pasted = 0;
        while (TerminalLibc.Write(_shim, new byte[1000]) is > 0 and var written)
        {
            pasted += (int)written;
            Thread.Sleep(1);
        }

        Write(_container, "printed\n");
        Read(_shim, 8).ShouldBe("printed\n");
        Read(_container, pasted).Length.ShouldBe(pasted);
    }

    [Fact]
    public void WindowSizesFollowTheShim()
    {
        SetWindowSize(_shim, 24 | (80 << 16));
        Restore();
        Eventually(() => WindowSize(_container) == (24 | (80 << 16)));

        SetWindowSize(_shim, 50 | (132 << 16));
        Eventually(() => WindowSize(_container) == (50 | (132 << 16)));
    }

    [Fact]
    public void TerminalThatNobodyHasOpenForAWhileCostsNothingAndComesBack()
    {
        Restore();
        Write(_container, "before\n");
        Read(_shim, 7).ShouldBe("before\n");
        _container.Dispose();
        var before = _relay.TotalProcessorTime;
        Thread.Sleep(1000);
        _relay.Refresh();
        (_relay.TotalProcessorTime - before).ShouldBeLessThan(TimeSpan.FromMilliseconds(200));

        _container = new SafeFileHandle(
            TerminalLibc.Check(TerminalLibc.Control(_restoredMaster, TerminalLibc.GetPeer, TerminalLibc.ReadWrite | TerminalLibc.NoControllingTerminal), "open"),
            ownsHandle: true);
        Write(_container, "after\n");
        Read(_shim, 6).ShouldBe("after\n");
    }

    [Fact]
    public void EndsWithTheShimsTerminal()
    {
        Restore();
        _shim.Dispose();

        _relay.WaitForExit(Limit).ShouldBeTrue();
        _relay.ExitCode.ShouldBe(0);
        File.Exists(_directory.File("own")).ShouldBeFalse();
    }

    [Fact]
    public void EndsWhenTheContainerIsNotRestored()
    {
        _shim.Dispose();

        _relay.WaitForExit(Limit).ShouldBeTrue();
        _relay.ExitCode.ShouldBe(0);
        File.Exists(_directory.File("own")).ShouldBeFalse();
    }

    [Fact]
    public void EndsWhenTheRestoreHandsOverNothing()
    {
        DescriptorSocket.Connect(_directory.File("own")).Dispose();

        _relay.WaitForExit(Limit).ShouldBeTrue();
        _relay.ExitCode.ShouldBe(0);
    }

    [Fact]
    public void ShimThatIsNotThereIsNamed()
    {
        using var relay = Start("/nonexistent/shim", _directory.File("other"));

        relay.WaitForExit(Limit).ShouldBeTrue();
        relay.ExitCode.ShouldBe(1);
        relay.StandardError.ReadToEnd().ShouldBe("ctmigrated tty-relay: connect /nonexistent/shim: No such file or directory\n");
    }

    // Not the leader of a group, so that setsid(1) becomes the program instead of starting it.
    private static Process Start(string shimSocket, string ownSocket) =>
        Process.Start(new ProcessStartInfo("setsid", [Path.Combine(AppContext.BaseDirectory, "ctmigrated"), TtyRelayCommand.Name, shimSocket, ownSocket])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    private static void Write(SafeFileHandle terminal, string text) =>
        TerminalLibc.Check(TerminalLibc.Write(terminal, Encoding.UTF8.GetBytes(text)), "write").ShouldBe(text.Length);

    private static string Read(SafeFileHandle terminal, int bytes)
    {
        var buffer = new byte[bytes];
        var read = 0;
        while (read < bytes)
        {
            Span<TerminalLibc.PollDescriptor> polled = [new() { Descriptor = (int)terminal.DangerousGetHandle(), Events = TerminalLibc.PollIn }];
            TerminalLibc.PollInterruptibly(polled, (int)Limit.TotalMilliseconds).ShouldBe(1, $"only {read} of {bytes} bytes came");
            read += TerminalLibc.Check(TerminalLibc.Read(terminal, buffer.AsSpan(read)), "read");
        }

        return Encoding.UTF8.GetString(buffer);
    }

    private static unsafe void SetWindowSize(SafeFileHandle terminal, ulong size) =>
        TerminalLibc.Check(TerminalLibc.Control(terminal, TerminalLibc.SetWindowSize, (nint)(&size)), "ioctl");

    private static unsafe ulong WindowSize(SafeFileHandle terminal)
    {
        ulong size;
        TerminalLibc.Check(TerminalLibc.Control(terminal, TerminalLibc.GetWindowSize, (nint)(&size)), "ioctl");
        return size;
    }

    private static void Eventually(Func<bool> condition) => SpinWait.SpinUntil(condition, Limit).ShouldBeTrue();

    private void Restore()
    {
        using var restore = DescriptorSocket.Connect(_directory.File("own"));
        restore.SendDescriptor(_restoredMaster);
    }
}
