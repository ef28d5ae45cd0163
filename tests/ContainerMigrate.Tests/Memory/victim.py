# A program whose memory is moved by the tests. It joins the cgroup named by its first argument and then runs one line of Python at a
# time from its standard input, answering each with one line. The second argument, a number, starts random work instead (see stir).
import ctypes, mmap, os, random, signal, sys, threading, time

P = 4096
NONE, R, RW = 0, 1, 3
PRIVATE, SHARED = 0x22, 0x21  # with MAP_ANONYMOUS
DONTNEED, FREE, HUGEPAGE = 4, 8, 14
c = ctypes.CDLL(None, use_errno=True)
c.mmap.restype = c.mremap.restype = ctypes.c_void_p
c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
c.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
c.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
c.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def ok(result, what):
    if result in (-1, 2**64 - 1, None):
        raise OSError(ctypes.get_errno(), what)
    return result


def mapped(pages, prot=RW, flags=PRIVATE, at=None, fd=-1):
    return ok(c.mmap(at, pages * P, prot, flags | (0x10 if at else 0), fd, 0), "mmap")


def unmap(at, pages):
    ok(c.munmap(at, pages * P), "munmap")


def moved(at, pages, to_pages, to=None):
    return ok(c.mremap(at, pages * P, to_pages * P, 3 if to else 1, to), "mremap")


def protect(at, pages, prot):
    ok(c.mprotect(at, pages * P, prot), "mprotect")


def advise(at, pages, advice):
    ok(c.madvise(at, pages * P, advice), "madvise")


def put(at, page, tag):
    ctypes.memset(at + page * P, tag, P)


def fill(at, pages, tag):
    ctypes.memset(at, tag, pages * P)


def get(at, page):
    return ctypes.string_at(at + page * P, P)


def child(work):
    """A child that does some work, tells that it is done, and stays until it is killed."""
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        work()
        os.write(start, b"x")
        while True:
            signal.pause()
    os.read(end, 1)
    os.close(end)
    os.close(start)
    return pid


def again():
    """Replaces the program by itself."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def clone():
    """A process with the very same memory that does nothing."""
    return c.clone(ctypes.cast(c.pause, ctypes.c_void_p), ctypes.c_void_p(mapped(16) + 16 * P), 0x100 | signal.SIGCHLD, None)


def forbid(number):
    """A seccomp filter that kills for one system call."""
    program = b"".join(
        code.to_bytes(2, "little") + bytes([yes, no]) + k.to_bytes(4, "little")
        for code, yes, no, k in [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)]
    )
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer((4).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(8, "little"))
    ok(c.prctl(38, 1, 0, 0, 0), "no_new_privs")
    ok(c.prctl(22, 2, header), "seccomp")


def interrupted(call):
    """What a system call that takes 0.3 s returns, and whether it took that long."""
    start = time.monotonic()
    result = call()
    return result, 0.25 < time.monotonic() - start < 5


counted = 0


def count(*_):
    global counted
    counted += 1


def gone(pid):
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def stir(seed, may_fork):
    """Random changes of the address space, with a check of what was written before, for ever. With an odd seed in several processes."""
    r = random.Random(seed)
    regions = []  # [address, tag of each page, protection, tag of a page never written (None: the file's)]
    children = [] if may_fork else [0, 0, 0]
    noise = mapped(256)
    shared = mapped(512, RW, SHARED)

    def scribble():
        own = random.Random(seed + 1)
        while True:
            ctypes.memset(noise + own.randrange(256) * P + own.randrange(P), own.randrange(256), 1)
            ctypes.memset(shared + own.randrange(8) ** 3 * P + own.randrange(P), own.randrange(256), 1)
            if own.random() < 0.01:
                time.sleep(0.0005)

    threading.Thread(target=scribble, daemon=True).start()
    file = os.open("/bin/sh", os.O_RDONLY)
    total = 0
    while True:
        what = r.random()
        if len(regions) < 4 or (what < 0.04 and total < 12000):
            pages = r.choice([1, 7, 64, 600, 1500])
            kind = r.random()
            if kind < 0.15:
                at = mapped(min(pages, 16), RW, 2, None, file)
                tags = [None] * min(pages, 16)
            else:
                at = mapped(pages)
                tags = [0] * pages
                if kind < 0.4:
                    advise(at, pages, HUGEPAGE)
            total += len(tags)
            regions.append([at, tags, RW, tags[0]])
            continue
        region = r.choice(regions)
        at, tags, prot, blank = region
        n = len(tags)
        page = r.randrange(n)
        count = r.randrange(1, min(n - page, 40) + 1)
        if what < 0.08:
            unmap(at, n)
            total -= n
            regions.remove(region)
        elif what < 0.12:
            wanted = max(1, n + r.choice([-5, 0, 9, 100]))
            for _ in range(100):
                try:
                    region[0] = moved(at, n, wanted)
                    break
                except OSError:
                    time.sleep(0.001)  # EFAULT: it grew in the moment in which it was registered, and is two mappings until all of it is
            else:
                raise OSError("mremap never succeeds")
            region[1] = tags[:wanted] + ([] if blank is None else [0] * (wanted - n))
            if len(region[1]) < wanted:  # behind the end of the file nothing may be touched
                unmap(region[0] + len(region[1]) * P, wanted - len(region[1]))
            total += len(region[1]) - n
        elif what < 0.15:
            region[2] = r.choice([NONE, R, RW])
            protect(at, n, region[2])
        elif what < 0.20:
            advise(at + page * P, count, DONTNEED)
            tags[page:page + count] = [blank] * count
        elif what < 0.22 and len(children) < 3:
            twin = r.randrange(2**30)
            fate = r.random()
            pid = os.fork()
            if pid == 0:
                if fate < 0.3:
                    put(shared, r.randrange(512), twin % 256)
                    os._exit(0)
                if fate < 0.6:
                    os.execv(sys.executable, [sys.executable, "-c", source, sys.argv[1], str(twin), "exec"])
                r.seed(twin)
                children.clear()
                children.extend([0, 0, 0])
                for other in regions:
                    if other[2] == RW:
                        put(other[0], 0, twin % 251 + 1)
                        other[1][0] = twin % 251 + 1
                continue
            children.append(pid)
        elif what < 0.225:
            advise(shared + r.randrange(500) * P, 12, DONTNEED)
        elif what < 0.24 and children and children[0]:
            gone(children.pop(r.randrange(len(children))))
        elif what < 0.30 and prot != NONE:
            for i in range(page, page + count):
                if tags[i] is not None and get(at, i) != bytes([tags[i]]) * P:
                    print("page", i, "of", len(tags), "at", hex(at), "protection", prot, "blank", blank, "should be", tags[i], "but is", get(at, i)[:8], set(get(at, i)), file=sys.stderr, flush=True)
                    os._exit(3)
        elif prot == RW:
            tag = r.randrange(1, 256)
            for i in range(page, page + count):
                put(at, i, tag)
                tags[i] = tag
        if r.random() < 0.02:
            time.sleep(0.001)


if __name__ == "__main__":
    with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
        procs.write("0")
    if len(sys.argv) > 2:
        source = sys.orig_argv[sys.orig_argv.index("-c") + 1]
        if len(sys.argv) == 3:
            print("ready", flush=True)
        stir(int(sys.argv[2]), len(sys.argv) == 3 and int(sys.argv[2]) % 2 == 1)
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, ""):
        try:
            try:
                result = eval(line, globals())
            except SyntaxError:
                exec(line, globals())
                result = None
            print(repr(result), flush=True)
        except Exception as error:
            print("error", repr(error), flush=True)
