using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>What a program has in hand of its files, in a volume and in its own layer, it has in hand on the destination too, and can go on with.</summary>
[Trait("docker", "any")]
public sealed class OpenFilesTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "open-files";

    // Says `NUMBER right` whenever it is asked, or what is wrong. Deeper than PATH_MAX, so all of it is reached by descriptors.
    private const string Program = """
        import ctypes, fcntl, mmap, os, random, select, socket, struct, threading, time
        libc = ctypes.CDLL(None, use_errno=True)
        root = os.environ["ROOT"]
        os.makedirs(root, exist_ok=True)
        os.chdir(root)

        # Larger than what CRIU takes into its images unasked.
        deleted = os.open("deleted", os.O_RDWR | os.O_CREAT)
        deleted_content = os.urandom(3 << 20)
        os.write(deleted, deleted_content)
        os.unlink("deleted")

        locked = os.open("locked", os.O_RDWR | os.O_CREAT)
        fcntl.flock(locked, fcntl.LOCK_EX)
        ranged = os.open("ranged", os.O_RDWR | os.O_CREAT)
        fcntl.lockf(ranged, fcntl.LOCK_EX, 10, 5)
        def is_free(name, lock):
            reading, writing = os.pipe()
            if os.fork() == 0:
                file = os.open(name, os.O_RDWR)
                try: lock(file); os.write(writing, b"free")
                except BlockingIOError: os.write(writing, b"held")
                os._exit(0)
            os.wait()
            answer = os.read(reading, 4)
            os.close(reading); os.close(writing)
            return answer == b"free"

        # Not in an overlay, of which CRIU dumps no watches.
        watches = root.startswith("/data/")
        if watches:
            os.mkdir("watched")
            watch = libc.inotify_init1(os.O_NONBLOCK)
            libc.inotify_add_watch(watch, b"watched", 0x100) # IN_CREATE

        with open("mapped", "wb") as file: file.truncate(1 << 20)
        with open("mapped", "r+b") as file: mapping = mmap.mmap(file.fileno(), 0)

        # Written past the page cache all the time: each block holds its number of writes.
        direct = os.open("direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
        buffer, counts, stores, pause = mmap.mmap(-1, 4096), [0] * 256, 0, threading.Lock()
        for block in range(256): os.pwrite(direct, buffer, block << 12)
        def write():
            global stores
            while True:
                with pause:
                    block = random.randrange(256)
                    buffer[:8] = struct.pack("<q", counts[block] + 1)
                    os.pwrite(direct, buffer, block << 12)
                    counts[block] += 1
                    stores += 1
                    mapping[8 * (stores % 1000):8 * (stores % 1000) + 8] = struct.pack("<q", stores)
                time.sleep(0.001)
        threading.Thread(target=write, daemon=True).start()

        name, place = b"deep \xff\n" + b"d" * 193, os.open(".", os.O_DIRECTORY)
        for level in range(30):
            os.mkdir(name, dir_fd=place)
            place, outer = os.open(name, os.O_DIRECTORY, dir_fd=place), place
            os.close(outer)
        bottom = os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=place)
        os.write(bottom, b"at the bottom")
        os.close(bottom); os.close(place)

        def wrong(number):
            if os.pread(deleted, 4 << 20, 0) != deleted_content: return "the deleted file"
            if os.fstat(deleted).st_nlink != 0: return "the links of the deleted file"
            if is_free("locked", lambda f: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)): return "the lock of the file"
            if is_free("ranged", lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)): return "the lock of bytes"
            if not is_free("ranged", lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 0)): return "bytes beside the lock"
            if watches:
                made = "made-%d" % number
                open("watched/" + made, "w").close()
                time.sleep(0.05)
                try: event = os.read(watch, 4096)
                except BlockingIOError: return "the watch"
                if made.encode() not in event: return "the event " + repr(event)
            with pause:
                with open("mapped", "rb") as file: seen = file.read()
                if seen != mapping[:]: return "the mapped file"
                if struct.unpack_from("<q", seen, 8 * (stores % 1000))[0] != stores: return "the last store"
                for block in range(256):
                    os.preadv(direct, [buffer], block << 12)
                    if struct.unpack_from("<q", buffer)[0] != counts[block]: return "block %d, written past the cache" % block
            place = os.open(".", os.O_DIRECTORY)
            for level in range(30):
                place, outer = os.open(name, os.O_DIRECTORY, dir_fd=place), place
                os.close(outer)
            bottom = os.open("bottom", os.O_RDONLY, dir_fd=place)
            content = os.read(bottom, 100)
            os.close(bottom); os.close(place)
            return None if content == b"at the bottom" else "the bottom"

        server = socket.create_server(("", 9100))
        print("listening", flush=True)
        talk, asked = server.accept()[0], 0
        while talk.recv(100):
            asked += 1
            talk.sendall((str(asked) + " " + (wrong(asked) or "right") + "\n").encode())
        """;

    [Theory]
    [InlineData("docker", "/data/root", "data:/data")]
    [InlineData("docker", "/own")]
    [InlineData("runc", "/own")]
    public async Task GoAlong(string runtime, string root, params string[] volumes)
    {
        await LabContainer.StartAsync(H1, runtime, Container, "ctm-small:1", ["env", $"ROOT={root}", "python3", "-u", "-c", Program], volumes, []);
        await using var client = await FireClient.ConnectAsync(Client);
        await client.ShouldFindAllRightAsync();
        foreach (var (from, to) in ((LabHost, LabHost)[])[(H1, H2), (H2, H1)])
        {
            (await from.MigrateAsync(Container, to)).ShouldBeDone();
            await client.ShouldFindAllRightAsync();
        }
    }
}
