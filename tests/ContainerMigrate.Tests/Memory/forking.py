# forking.py PAGES: a process that is restored lazily and forks meanwhile, and CRIU's part in it. Says where its memory is, waits for the
# path of the server's socket, says when its first children exist, waits for another line, and says what all of them have found.
# Pages hold their number; every fifth is not there.
import ctypes, os, socket, struct, sys

PAGE, PAGES, PID = 4096, int(sys.argv[1]), 7
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
memory = libc.mmap(None, PAGES * PAGE, 3, 0x22, -1, 0)
print(memory, flush=True)
path = sys.stdin.readline().strip()

def check(pages, zeros=()):
    for page in pages:
        number = struct.unpack("<I", ctypes.string_at(memory + page * PAGE, 4))[0]
        if number != (0 if page % 5 == 4 or page in zeros else page + 1):
            return f"page {page} of {os.getpid()} holds {number}"

def forked(*work, meanwhile=lambda: None):  # runs each in a child of its own, all at once
    children = []
    wait, go = os.pipe()
    for function in work:
        pid = os.fork()
        if pid == 0:
            os.read(wait, 1)
            wrong = function()
            if wrong: print(wrong, flush=True)
            os._exit(1 if wrong else 0)
        children.append(pid)
    meanwhile()
    os.write(go, b"1" * len(children))
    return [os.waitpid(pid, 0)[1] for pid in children]

def wait_for_word():
    print("forked", flush=True)
    sys.stdin.readline()

uffd = libc.syscall(323, 0x80800)  # userfaultfd(O_CLOEXEC | O_NONBLOCK)
api = (ctypes.c_uint64 * 3)(0xAA, 0x2 | 0x4 | 0x8 | 0x40, 0)
if uffd < 0 or libc.ioctl(uffd, 0xC018AA3F, api):
    print("skipped"); sys.exit()
libc.ioctl(uffd, 0xC020AA00, (ctypes.c_uint64 * 4)(memory, PAGES * PAGE, 1, 0))
criu = socket.socket(socket.AF_UNIX)
criu.connect(path)
criu.send(struct.pack("<i", PID))
socket.send_fds(criu, [b"\0"], [uffd])
os.close(uffd)

def gives_back_and_forks():
    libc.madvise(memory + 100 * PAGE, 10 * PAGE, 4)
    back = set(range(100, 110))
    wrong = check(range(90, 120), back)
    return wrong or (any(forked(lambda: check(range(80, 400), back))) and "grandchild")

results = forked(lambda: check(range(0, 200)), gives_back_and_forks, meanwhile=wait_for_word)
results += [bool(check(range(95, 115)))]  # what the child gave back is still the parent's
criu.send(struct.pack("<I", 0x52535446))
results += forked(lambda: check(range(PAGES)), lambda: check(reversed(range(PAGES))), gives_back_and_forks)
print("wrong" if any(results) or check(range(PAGES)) else "right", flush=True)
