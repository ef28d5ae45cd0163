using System.Diagnostics;
using ContainerMigrate.Images;
using ContainerMigrate.Linux.Memory;
using ContainerMigrate.Linux.Memory.LazyPages;
using ContainerMigrate.Linux.Processes;
using ContainerMigrate.Memory;
using ContainerMigrate.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Memory;

/// <summary>A process reads every byte that it had, whatever it does meanwhile and whoever is killed. This process plays CRIU and the restored one.</summary>
[Collection(nameof(MeasuredAlone))]
public sealed class LazyRestoreTests : IDisposable
{
    private const int ProcessId = 7;
    private const int Gap = 5; // every fifth page is not there
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly byte[] Zeros = new byte[MemoryPage.Bytes];

    private readonly TestDirectory _directory = new();
    private readonly string _store;
    private readonly string _work;
    private RestoredMemory _memory = new(2000);
    private LazyRestore? _restore;

    public LazyRestoreTests()
    {
        _store = Path.Combine(_directory.Path, "store");
        _work = _directory.Make("work");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (_restore is not null)
        {
            Kill(_restore.ServerPid);
            _restore.Dispose();
        }

        _memory.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task EveryPageArrivesAndTheStoreIsGone()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        _memory.SendZombie(9);
        _memory.Finish();

        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole(0, _memory.Pages);
        Directory.Exists(_store).ShouldBeFalse();
        File.Exists(Path.Combine(_work, "lazy-pages.socket")).ShouldBeFalse();
    }

    [Fact]
    public async Task FaultsAreAnsweredBeforeTheRestoreIsFinished()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        foreach (var page in (int[])[1999, 0, 4, 777, 777, 5])
        {
            ShouldBeWhole(page, 1);
        }

        _restore!.LoadingSpaces.ShouldBe(1);
        _memory.Finish();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
    }

    [Fact]
    public async Task PagesLoadWhileTheRestoredProcessesAreStillHeld()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        ShouldBeWhole(3, 1); // the server has it
        _restore!.Begin();
        await EventuallyAsync(() => _restore.LoadingSpaces == 0);
        _restore.Completion.IsCompleted.ShouldBeFalse();
        ShouldBeWhole(0, _memory.Pages);
        _memory.Finish();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
    }

    [Fact]
    public async Task MemoryThatIsMovedGivenBackOrUnmappedMeanwhileIsRight()
    {
        await StartAsync();
        var elsewhere = _memory.Map(300);
        _memory.Register(_work, ProcessId);
        ChangeMappings(elsewhere);
        ShouldBeChanged(elsewhere);
        _memory.Finish();
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeChanged(elsewhere);
    }

    [Fact]
    public async Task TheNextServerKnowsWhatWasMovedAndGivenBack()
    {
        await StartAsync();
        var elsewhere = _memory.Map(300);
        _memory.Register(_work, ProcessId);
        ChangeMappings(elsewhere);
        await KillServerAsync();
        _restore!.Begin();
        await KillServerAsync();
        ShouldBeChanged(elsewhere);
        _memory.Finish();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeChanged(elsewhere);
    }

    [Fact]
    public async Task NoZeroIsReadThoughServersAreKilledAllTheTime()
    {
        _memory.Dispose();
        _memory = new RestoredMemory(96 * 1024); // 384 MiB
        await StartAsync();
        _memory.Register(_work, ProcessId);
        _memory.Finish();

        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(seed => Task.Run(() => ReadAtRandom(seed, done.Token), Cancellation)).ToArray();
        var kills = 0;
        var clock = Stopwatch.StartNew();
        while (!_restore!.Completion.IsCompleted && kills < 8)
        {
            await KillServerAsync();
            kills++;
        }

        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        TestContext.Current.SendDiagnosticMessage($"{kills} servers killed, loaded after {clock.ElapsedMilliseconds} ms");
        kills.ShouldBeGreaterThan(0);
        ShouldBeWhole(0, _memory.Pages);
        await done.CancelAsync();
        (await Task.WhenAll(readers)).ShouldAllBe(read => read > 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task ProcessesThatAreForkedMeanwhileHaveTheirPagesToo(int kills)
    {
        const int Pages = 20_000;
        Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(p => File.Exists(Path.Combine(p, "python3"))), "needs python3, to fork");
        using var forking = Process.Start(new ProcessStartInfo("python3", [Path.Combine(AppContext.BaseDirectory, "Memory", "forking.py"), $"{Pages}"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        var memory = ulong.Parse((await forking.StandardOutput.ReadLineAsync(Cancellation))!);
        await StartAsync(new PageRange(memory, Pages));
        await forking.StandardInput.WriteLineAsync(Path.Combine(_work, "lazy-pages.socket"));

        var first = await forking.StandardOutput.ReadLineAsync(Cancellation);
        Assert.SkipWhen(first == "skipped", "userfaultfd with its events needs root (CAP_SYS_PTRACE)");
        first.ShouldBe("forked", ServerLog());
        // The process itself and two children: all three are held, so that their server may die.
        await EventuallyAsync(() => _restore!.LoadingSpaces == 3);
        for (var i = 0; i < kills; i++)
        {
            await KillServerAsync();
        }

        await forking.StandardInput.WriteLineAsync("go on");
        var said = await forking.StandardOutput.ReadToEndAsync(Cancellation).WaitAsync(Limit, Cancellation);
        said.ShouldBe("right\n", ServerLog());
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
    }

    [Fact]
    public async Task ADaemonThatIsStartedAnewTakesHoldAgain()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        ShouldBeWhole(10, 1);
        var pid = _restore!.ServerPid;
        _restore.Dispose(); // the daemon ends; the server does not
        ShouldBeWhole(11, 1);

        _restore = await LazyRestore.ResumeAsync(new ProcessRunner(), Program(), _store, _work, NullLogger.Instance, Cancellation);
        _restore.ShouldNotBeNull(ServerLog());
        await EventuallyAsync(() => _restore.LoadingSpaces == 1);
        Kill(pid);
        ShouldBeWhole(12, 500);
        _memory.Finish();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole(0, _memory.Pages);
    }

    [Fact]
    public async Task AServerThatIsGoneWithItsDaemonIsNotTakenForOneThatLives()
    {
        await StartAsync();
        var server = Process.GetProcessById(_restore!.ServerPid);
        _restore.Dispose();
        server.Kill();
        await server.WaitForExitAsync(Cancellation);
        (await LazyRestore.ResumeAsync(new ProcessRunner(), Program(), _store, _work, NullLogger.Instance, Cancellation)).ShouldBeNull();
        _restore = null;
    }

    [Fact]
    public async Task WhenCriuGivesUpTheStoreStays()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        ShouldBeWhole(10, 1);
        _memory.Disconnect();
        (await _restore!.Completion.WaitAsync(Limit, Cancellation)).ShouldBeFalse(ServerLog());
        Directory.Exists(_store).ShouldBeTrue();
    }

    [Fact]
    public async Task ARestoreThatIsGivenUpBeforehandLeavesNoServer()
    {
        await StartAsync();
        var server = Process.GetProcessById(_restore!.ServerPid);
        _restore.GiveUp();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeFalse(ServerLog());
        await server.WaitForExitAsync(Cancellation).WaitAsync(Limit, Cancellation);
    }

    [Fact]
    public async Task ARestoreThatHasTakenPlaceCannotBeGivenUp()
    {
        await StartAsync();
        _memory.Register(_work, ProcessId);
        ShouldBeWhole(3, 1);
        _memory.Finish();
        await _restore!.Restored.WaitAsync(Limit, Cancellation);
        _restore.GiveUp();
        (await _restore.Completion.WaitAsync(Limit, Cancellation)).ShouldBeTrue(ServerLog());
        ShouldBeWhole(0, _memory.Pages);
    }

    private static string Program() => Path.Combine(AppContext.BaseDirectory, "ctmigrated");

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); !condition(); await Task.Delay(2, Cancellation))
        {
            clock.Elapsed.ShouldBeLessThan(Limit);
        }
    }

    private static void Content(int page, Span<byte> bytes)
    {
        // Different for each page, and cheap: half a gigabyte of it.
        bytes.Fill((byte)((page % 250) + 1));
        BitConverter.TryWriteBytes(bytes, page + 1);
    }

    private Task StartAsync() => StartAsync(_memory.Range(0, _memory.Pages));

    private async Task StartAsync(PageRange memory)
    {
        using (var pages = new PageStore(_store, (long)memory.Bytes, (long)memory.Bytes + PageSlab.Bytes))
        {
            var content = new byte[(Gap - 1) << MemoryPage.Shift];
            List<PagemapEntry> entries = [];
            for (var page = 0; page + Gap - 1 <= (int)memory.PageCount; page += Gap)
            {
                for (var i = 0; i < Gap - 1; i++)
                {
                    Content(page + i, content.AsSpan(i << MemoryPage.Shift, MemoryPage.Bytes));
                }

                var group = new PageRange(memory.Address + ((ulong)page << MemoryPage.Shift), Gap - 1);
                pages.Write(ProcessId, group.Address, content);
                entries.Add(new PagemapEntry(group, PagemapMarks.Lazy));
            }

            var images = _directory.Make("images");
            using (var stream = File.Create(PagemapInventory.PathOf(images, ProcessId)))
            {
                PagemapWriter.Write(new PagemapImage(1, PagemapLayout.Wide, entries), stream);
            }

            await pages.SealAsync(images, Cancellation);
        }

        _restore = await LazyRestore.StartAsync(new ProcessRunner(), Program(), _store, _work, NullLogger.Instance, Cancellation);
    }

    // It may have ended by itself just now.
    private static void Kill(int pid)
    {
        if (pid <= 0)
        {
            return; // not known after a resume; 0 would be this process's group
        }

        try
        {
            Process.GetProcessById(pid).Kill();
        }
        catch (ArgumentException)
        {
            // There is none with this pid.
        }
    }

    private async Task KillServerAsync()
    {
        var pid = _restore!.ServerPid;
        Kill(pid);
        await EventuallyAsync(() => _restore.ServerPid != pid || _restore.Completion.IsCompleted);
    }

    // Pages 100..199 go elsewhere, 300..309 are given back, 400..419 unmapped, and of what was moved 10 pages go on to another place.
    private void ChangeMappings(ulong elsewhere)
    {
        RestoredMemory.Move(_memory.Range(100, 100), elsewhere);
        RestoredMemory.Move(new PageRange(elsewhere + (50 << MemoryPage.Shift), 10), elsewhere + (200 << MemoryPage.Shift));
        RestoredMemory.GiveBack(_memory.Range(300, 10));
        RestoredMemory.Unmap(_memory.Range(400, 20));
    }

    private void ShouldBeChanged(ulong elsewhere)
    {
        for (var i = 0; i < 100; i++)
        {
            ShouldHave(elsewhere + ((ulong)(i is >= 50 and < 60 ? i + 150 : i) << MemoryPage.Shift), 100 + i);
        }

        for (var page = 300; page < 310; page++)
        {
            RestoredMemory.HasContent(_memory.AddressOf(page), Zeros).ShouldBeTrue();
        }

        ShouldBeWhole(0, 100);
        ShouldBeWhole(310, 90);
        ShouldBeWhole(420, 100);
    }

    private void ShouldBeWhole(int first, int count)
    {
        for (var page = first; page < first + count; page++)
        {
            ShouldHave(_memory.AddressOf(page), page);
        }
    }

    private void ShouldHave(ulong address, int page) => IsRight(address, page).ShouldBeTrue($"page {page}; {ServerLog()}");

    private bool IsRight(ulong address, int page)
    {
        Span<byte> expected = stackalloc byte[MemoryPage.Bytes];
        expected.Clear();
        if (page % Gap != Gap - 1 && (page / Gap * Gap) + Gap - 1 <= _memory.Pages)
        {
            Content(page, expected);
        }

        return RestoredMemory.HasContent(address, expected);
    }

    private long ReadAtRandom(int seed, CancellationToken done)
    {
        var random = new Random(seed);
        var read = 0L;
        for (; !done.IsCancellationRequested; read++)
        {
            var page = random.Next(_memory.Pages);
            if (!IsRight(_memory.AddressOf(page), page))
            {
                throw new InvalidDataException($"page {page} is wrong after {read} reads");
            }
        }

        return read;
    }

    private string ServerLog() => File.Exists(LazyRestore.LogPath(_work)) ? File.ReadAllText(LazyRestore.LogPath(_work)) : "(the server wrote nothing)";
}
