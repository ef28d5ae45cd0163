#!/usr/bin/env python3
"""A tree of processes that holds one of everything, and can say whether it still does.

Each item below makes something up to its `yield`, and looks at it behind it. Half of them live in a
child of process 1, the rest in a grandchild. A client on port 9000 is told the items' names by the
line "items", and by the line "verify", which works once, what has become of each: "NAME ok" or
"NAME failed: WHY", a line "end" behind the last. PROCESSES more processes, each with two threads,
only wait (0), and are asked as the item `crowd`.
"""
import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import pty
import resource
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
import traceback
import warnings

PORT = 9000
HOUR = 3600
FOLDER = "/var/tmp/tree"
libc = ctypes.CDLL(None, use_errno=True)
items = []


warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: here on purpose


def item(function):
    items.append(function)
    return function


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def ready(descriptor, events=select.POLLIN, seconds=5):
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(seconds * 1000))


def child(function):
    """Runs a function in a child process; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


class Partner:
    """A child process that is an item's other half: it says when it is set up, and answers once what it finds later."""

    def __init__(self, item):
        self.ours, theirs = socket.socketpair()

        def live():
            self.ours.close()
            halves = item()
            next(halves)
            theirs.sendall(b"\n")
            theirs.recv(1)
            theirs.sendall((finish(halves) or "ok").encode())
            os._exit(0)

        self.pid = child(live)
        theirs.close()
        if not self.ours.recv(1):
            raise AssertionError("the child could not set itself up")

    def ask(self):
        self.ours.sendall(b"\n")
        answer = self.ours.recv(4096).decode()
        expect(answer, "ok")
        expect(os.waitpid(self.pid, 0), (self.pid, 0))


def finish(halves):
    """The second half of an item; returns what is wrong, or None."""
    try:
        next(halves)
    except StopIteration:
        return None
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1].lineno
        return f"{type(error).__name__} in line {where}: {error}".replace("\n", " ")
    return "it has a second yield"


# --- processes and threads ---

@item
def identity():
    def facts():
        return (os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0), threading.get_native_id(), os.getcwd(), socket.gethostname(),
                os.environ.get("TREE"), open("/proc/self/comm").read(), open("/proc/self/cmdline").read())
    os.makedirs(FOLDER + "/here", exist_ok=True)
    os.chdir(FOLDER + "/here")
    libc.prctl(15, b"renamed", 0, 0, 0)  # PR_SET_NAME
    os.environ["TREE"] = "kept"
    before = facts()
    yield
    expect(facts(), before)


@item
def threads():
    questions = threading.Semaphore(0)
    answers, local, lock = [], threading.local(), threading.Lock()

    def live(number):
        local.value = (number, threading.get_native_id())
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN + number})
        started.release()
        questions.acquire()
        mask = {int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, set())} & set(range(signal.SIGRTMIN, signal.SIGRTMIN + 9))
        with lock:
            answers.append((number, local.value == (number, threading.get_native_id()), mask == {signal.SIGRTMIN + number}))

    started = threading.Semaphore(0)
    workers = [threading.Thread(target=live, args=(n,), name=f"worker-{n}") for n in range(6)]
    for worker in workers:
        worker.start()
        started.acquire()
    ids = sorted(os.listdir("/proc/self/task"))
    yield
    expect(sorted(os.listdir("/proc/self/task")), ids)
    questions.release(6)
    for worker in workers:
        worker.join(5)
    expect(sorted(answers), [(n, True, True) for n in range(6)])


@item
def credentials():
    def facts():
        status = open("/proc/self/status").read().split("\n")
        kept = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Umask")
        return ([line for line in status if line.startswith(kept)], os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE),
                resource.getrlimit(resource.RLIMIT_CORE), os.sched_getaffinity(0), os.sched_getscheduler(0))

    def user():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)
        os.umask(0o027)
        os.setgroups([1000, 27])
        os.setgid(1000)
        os.setuid(1000)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        libc.prctl(1, signal.SIGUSR2, 0, 0, 0)  # PR_SET_PDEATHSIG
        before = facts()
        yield
        expect(facts(), before)
        expect(os.getuid(), 1000)
        name = ctypes.c_int()
        libc.prctl(2, ctypes.byref(name), 0, 0, 0)
        expect(name.value, signal.SIGUSR2)

    partner = Partner(user)
    yield
    partner.ask()


@item
def zombie_stopped_and_orphan():
    dead = child(lambda: os._exit(7))
    while "Z" not in open(f"/proc/{dead}/stat").read().rsplit(")", 1)[1]:
        time.sleep(0.01)

    def pair():
        yield

    stopped = Partner(pair)
    os.kill(stopped.pid, signal.SIGSTOP)
    expect(os.waitpid(stopped.pid, os.WUNTRACED)[0], stopped.pid)
    r, w = os.pipe()

    def daemonise():
        os.setsid()
        child(lambda: (os.write(w, struct.pack("i", os.getpid())), signal.pause()))
        os._exit(0)

    os.waitpid(child(daemonise), 0)
    orphan, = struct.unpack("i", os.read(r, 4))
    yield
    expect(os.waitpid(dead, 0)[1], 7 << 8)
    expect(open(f"/proc/{stopped.pid}/stat").read().rsplit(")", 1)[1].split()[0], "T")
    os.kill(stopped.pid, signal.SIGCONT)
    stopped.ask()
    fields = open(f"/proc/{orphan}/stat").read().rsplit(")", 1)[1].split()
    expect(fields[1], "1")
    expect(os.getsid(orphan) not in (orphan, os.getsid(0)), True)
    os.kill(orphan, signal.SIGKILL)


# --- memory ---

@item
def private_memory():
    memory = bytearray(os.urandom(8 << 20))
    before = hashlib.sha256(memory).digest()
    guarded = mmap.mmap(-1, 3 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    guarded[:4] = b"kept"
    start = ctypes.addressof(ctypes.c_char.from_buffer(guarded))
    call(libc.mprotect(ctypes.c_void_p(start + 2 * mmap.PAGESIZE), mmap.PAGESIZE, 0))
    lines = [line for line in open("/proc/self/maps") if line.startswith(f"{start + 2 * mmap.PAGESIZE:x}-")]
    yield
    expect(hashlib.sha256(memory).digest(), before)
    expect(guarded[:4], b"kept")
    expect([line for line in open("/proc/self/maps") if line.startswith(f"{start + 2 * mmap.PAGESIZE:x}-")], lines)
    expect(lines[0].split()[1], "---p")


@item
def anonymous_shared_memory():
    shared = mmap.mmap(-1, 1 << 20)
    shared[:6] = b"parent"

    def other():
        shared[100:105] = b"child"
        yield
        expect(shared[:5], b"later")
        shared[100:105] = b"reply"

    partner = Partner(other)
    yield
    expect(shared[100:105], b"child")
    shared[:5] = b"later"
    partner.ask()
    expect(shared[100:105], b"reply")


@item
def mapped_files():
    path = FOLDER + "/mapped"
    with open(path, "wb") as file:
        file.write(b"." * 3 * mmap.PAGESIZE)
    with open(path, "r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)
        private = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    private[:4] = b"mine"
    shared[mmap.PAGESIZE:mmap.PAGESIZE + 4] = b"ours"  # never synced
    memfd = os.memfd_create("tree")
    os.write(memfd, b"in memory")
    yield
    expect(private[:4], b"mine")
    expect(shared[:4], b"....")
    expect(open(path, "rb").read()[mmap.PAGESIZE:mmap.PAGESIZE + 4], b"ours")
    shared[:5] = b"later"
    expect(open(path, "rb").read(5), b"later")
    expect(os.pread(memfd, 20, 0), b"in memory")
    expect(os.lseek(memfd, 0, os.SEEK_CUR), 9)


@item
def posix_shared_memory():
    with open("/dev/shm/tree", "w+b") as file:
        file.truncate(mmap.PAGESIZE)
        shared = mmap.mmap(file.fileno(), 0)
    shared[:6] = b"posix!"
    yield
    expect(shared[:6], b"posix!")
    expect(open("/dev/shm/tree", "rb").read(6), b"posix!")
    shared[:6] = b"again!"
    expect(open("/dev/shm/tree", "rb").read(6), b"again!")


@item
def system_v_ipc():
    libc.shmat.restype = ctypes.c_void_p
    segment = call(libc.shmget(0x7e57, 8192, 0o1600))
    address = libc.shmat(segment, None, 0)
    ctypes.memmove(address, b"system v", 8)
    semaphores = call(libc.semget(0x7e58, 3, 0o1600))
    for number, value in enumerate((4, 0, 9)):
        call(libc.semctl(semaphores, number, 16, value))  # SETVAL
    queue = call(libc.msgget(0x7e59, 0o1600))
    for kind, text in ((3, b"first"), (5, b"other"), (3, b"third")):
        call(libc.msgsnd(queue, struct.pack("l", kind) + text, len(text), 0))
    yield
    expect(ctypes.string_at(address, 8), b"system v")
    expect(libc.shmget(0x7e57, 0, 0), segment)
    again = libc.shmat(segment, None, 0)
    ctypes.memmove(address, b"written!", 8)
    expect(ctypes.string_at(again, 8), b"written!")
    expect([libc.semctl(semaphores, n, 12, 0) for n in range(3)], [4, 0, 9])  # GETVAL
    buffer = ctypes.create_string_buffer(100)
    received = []
    for kind in (5, 0, 0):
        size = call(libc.msgrcv(queue, buffer, 80, ctypes.c_long(kind), 0o4000))
        received.append(buffer.raw[8:8 + size])
    expect(received, [b"other", b"first", b"third"])
    for remove in (libc.shmctl(segment, 0, None), libc.semctl(semaphores, 0, 0), libc.msgctl(queue, 0, None)):
        call(remove)


# --- files ---

@item
def open_and_deleted_files():
    path = FOLDER + "/deleted"
    file = open(path, "w+b", buffering=0)
    file.write(b"nobody else " * 100_000)
    file.seek(7)
    os.unlink(path)
    again = open(path, "w+b", buffering=0)  # another file of that name
    again.write(b"a second life")
    with open(FOLDER + "/log", "ab", buffering=0) as log:
        descriptor = os.dup(log.fileno())
        os.write(descriptor, b"one ")
    yield
    expect(file.tell(), 7)
    expect(os.pread(file.fileno(), 2_000_000, 0), b"nobody else " * 100_000)
    expect(os.fstat(file.fileno()).st_nlink, 0)
    file.write(b"still writable")
    expect(open(path, "rb").read(), b"a second life")
    os.write(descriptor, b"two")
    expect(open(FOLDER + "/log").read(), "one two")
    expect(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND, os.O_APPEND)


@item
def shared_offset():
    file = open(FOLDER + "/shared", "w+b", buffering=0)
    file.write(b"0123456789")
    file.seek(2)

    def other():
        yield
        expect(file.read(3), b"234")

    partner = Partner(other)
    yield
    partner.ask()
    expect(file.read(2), b"56")


@item
def file_locks():
    with open(FOLDER + "/locks", "wb") as file:
        file.write(b"x" * 100)
    whole = open(FOLDER + "/locks", "r+b")
    fcntl.flock(whole, fcntl.LOCK_EX)
    ranges = open(FOLDER + "/ranges", "w+b")
    fcntl.lockf(ranges, fcntl.LOCK_EX, 10, 5)

    def other():
        yield
        for name, lock in (("locks", lambda f: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)),
                           ("ranges", lambda f: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 14))):
            with open(f"{FOLDER}/{name}", "r+b") as file:
                try:
                    lock(file)
                except OSError as error:
                    expect(error.errno, errno.EAGAIN)
                else:
                    raise AssertionError(f"{name} is no longer locked")
        with open(FOLDER + "/ranges", "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 15)

    partner = Partner(other)
    yield
    partner.ask()


# --- pipes, sockets, terminals ---

@item
def pipes():
    r, w = os.pipe2(os.O_NONBLOCK)
    os.write(w, b"x" * 50_000)
    fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1 << 17)
    os.mkfifo(FOLDER + "/fifo")
    fifo = os.open(FOLDER + "/fifo", os.O_RDWR | os.O_CLOEXEC)
    os.write(fifo, b"in the fifo")
    half, end = os.pipe()
    os.write(end, b"last words")
    os.close(end)
    yield
    expect(os.read(r, 100_000), b"x" * 50_000)
    expect(fcntl.fcntl(r, fcntl.F_GETPIPE_SZ), 1 << 17)
    expect(fcntl.fcntl(r, fcntl.F_GETFL) & os.O_NONBLOCK, os.O_NONBLOCK)
    try:
        os.read(r, 1)
    except BlockingIOError:
        pass
    expect(os.read(fifo, 100), b"in the fifo")
    expect(os.get_inheritable(fifo), False)
    expect(os.read(half, 100) + os.read(half, 100), b"last words")


@item
def unix_sockets():
    one, two = socket.socketpair()
    one.sendall(b"to two")
    two.sendall(b"to one")
    packets, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for text in (b"a", b"bcd", b"e"):
        sender.send(text)
    server = socket.socket(socket.AF_UNIX)
    server.bind(FOLDER + "/socket")
    server.listen(5)
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    abstract.bind("\0tree")
    abstract.listen(5)
    client = socket.socket(socket.AF_UNIX)
    client.connect(FOLDER + "/socket")
    accepted, _ = server.accept()
    client.sendall(b"hello")

    def other():
        yield
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(FOLDER + "/socket")
            expect(late.recv(9), b"welcome")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as late:
            late.connect("\0tree")

    partner = Partner(other)
    yield
    expect((two.recv(99), one.recv(99)), (b"to two", b"to one"))
    expect([packets.recv(99) for _ in range(3)], [b"a", b"bcd", b"e"])
    expect(accepted.recv(99), b"hello")
    accepted.sendall(b"answer")
    expect(client.recv(99), b"answer")
    welcome = threading.Thread(target=lambda: server.accept()[0].sendall(b"welcome"))
    welcome.start()
    partner.ask()
    welcome.join(5)


@item
def loopback_sockets():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    client.sendall(b"before" * 10_000)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.bind(("::1", 0))
    sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sender.connect(six.getsockname())
    half = socket.create_connection(server.getsockname())
    other_half, _ = server.accept()
    half.sendall(b"last words")
    half.shutdown(socket.SHUT_WR)
    names = client.getsockname(), accepted.getpeername()
    yield
    expect((client.getsockname(), accepted.getpeername()), names)
    expect(accepted.recv(60_000, socket.MSG_WAITALL), b"before" * 10_000)
    expect(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
    expect(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 77)
    accepted.sendall(b"answer")
    expect(client.recv(99), b"answer")
    expect(other_half.recv(99) + other_half.recv(99), b"last words")
    other_half.sendall(b"heard")
    expect(half.recv(99), b"heard")
    sender.send(b"datagram")
    expect(six.recv(99), b"datagram")
    with socket.create_connection(server.getsockname()):
        server.accept()[0].close()


@item
def pseudo_terminal():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 33, 91, 0, 0))
    settings = termios.tcgetattr(slave)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    settings = termios.tcgetattr(slave)
    name = os.ttyname(slave)

    def session():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, lambda *_: interrupted.append(1))
        yield
        expect(os.tcgetpgrp(slave), os.getpgrp())
        expect(os.read(os.open("/dev/tty", os.O_RDWR), 100), b"typed\n")
        os.write(master, b"\x03")
        for _ in range(500):
            if interrupted:
                return
            time.sleep(0.01)
        raise AssertionError("Ctrl-C did not interrupt")

    interrupted = []
    partner = Partner(session)
    yield
    expect(struct.unpack("4H", fcntl.ioctl(slave, termios.TIOCGWINSZ, bytes(8)))[:2], (33, 91))
    expect(os.ttyname(slave), name)
    expect(termios.tcgetattr(slave), settings)
    os.write(master, b"typed\n")
    partner.ask()


# --- events, timers, signals ---

@item
def event_descriptors():
    counter = os.eventfd(5)
    r, w = os.pipe()
    poll = select.epoll()
    poll.register(counter, select.EPOLLIN)
    poll.register(r, select.EPOLLIN | select.EPOLLET)
    poll.register(w, select.EPOLLOUT | select.EPOLLONESHOT)
    expect(poll.poll(1), [(counter, select.EPOLLIN), (w, select.EPOLLOUT)])  # the one shot is gone
    signals = ctypes.c_uint64(1 << (signal.SIGUSR2 - 1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    signalfd = call(libc.signalfd(-1, ctypes.byref(signals), 0))
    yield
    expect(poll.poll(5), [(counter, select.EPOLLIN)])
    expect(os.eventfd_read(counter), 5)
    os.write(w, b"x")
    expect(poll.poll(5), [(r, select.EPOLLIN)])
    os.kill(os.getpid(), signal.SIGUSR2)
    expect(struct.unpack_from("I", os.read(signalfd, 128))[0], signal.SIGUSR2)


@item
def timers():
    counting = os.timerfd_create(time.CLOCK_MONOTONIC)
    os.timerfd_settime(counting, initial=0.02, interval=0.02)
    distant = os.timerfd_create(time.CLOCK_BOOTTIME)
    os.timerfd_settime(distant, initial=HOUR)
    wall = os.timerfd_create(time.CLOCK_REALTIME)
    os.timerfd_settime(wall, flags=os.TFD_TIMER_ABSTIME, initial=time.time() + HOUR)
    began = time.monotonic()

    def alarms():
        ticks = []
        signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        signal.setitimer(signal.ITIMER_PROF, HOUR, 5)
        signal.signal(signal.SIGRTMIN + 3, lambda *_: ticks.append(2))
        # struct sigevent: value, signal, SIGEV_SIGNAL
        event, timer = ctypes.create_string_buffer(struct.pack("Pii", 0, signal.SIGRTMIN + 3, 0), 64), ctypes.c_void_p()
        call(libc.timer_create(time.CLOCK_MONOTONIC, event, ctypes.byref(timer)))
        period = struct.pack("4l", 0, 20_000_000, 0, 20_000_000)
        call(libc.timer_settime(timer, 0, period, None))
        yield
        ticks.clear()
        deadline = time.monotonic() + 5
        while (ticks.count(1) < 5 or ticks.count(2) < 5) and time.monotonic() < deadline:
            time.sleep(0.01)
        expect((ticks.count(1) >= 5, ticks.count(2) >= 5), (True, True))
        left, interval = signal.getitimer(signal.ITIMER_PROF)
        expect((HOUR - 600 < left <= HOUR + 1, round(interval)), (True, 5))

    def alarm():
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(HOUR)
        yield
        expect(HOUR - 600 < signal.alarm(0) <= HOUR, True)

    partners = [Partner(alarms), Partner(alarm)]
    yield
    for _ in range(3):
        os.read(counting, 8)
    elapsed = time.monotonic() - began
    for descriptor in (distant, wall):
        left = os.timerfd_gettime(descriptor)[0]
        expect((HOUR - elapsed - 2 < left < HOUR), True)
    for partner in partners:
        partner.ask()


@item
def pending_signals():
    numbers = [signal.SIGUSR1, signal.SIGRTMIN + 1, signal.SIGRTMIN + 1, signal.SIGRTMIN + 2]
    values = [11, 12, 13, 14]

    def receiver():
        signal.pthread_sigmask(signal.SIG_BLOCK, set(numbers) | {signal.SIGHUP})
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        for number, value in zip(numbers, values):
            call(libc.sigqueue(os.getpid(), number, ctypes.c_void_p(value)))
        signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
        yield
        expect(signal.sigpending(), set(numbers) | {signal.SIGHUP})
        received = []
        info = ctypes.create_string_buffer(128)
        wanted = ctypes.create_string_buffer(128)
        for number in set(numbers):
            libc.sigaddset(wanted, number)
        for _ in numbers:
            received.append((call(libc.sigtimedwait(wanted, info, struct.pack("2l", 0, 0))), struct.unpack_from("i", info.raw, 24)[0]))
        expect(received, list(zip(numbers, values)))
        expect(signal.sigtimedwait({signal.SIGHUP}, 0).si_pid, os.getpid())

    partner = Partner(receiver)
    yield
    partner.ask()


@item
def crowd():
    def one():
        gate = threading.Event()
        waiting = [threading.Thread(target=gate.wait) for _ in range(2)]
        for thread in waiting:
            thread.start()
        yield
        gate.set()
        for thread in waiting:
            thread.join(5)

    partners = [Partner(one) for _ in range(int(os.environ.get("PROCESSES", "0")))]
    yield
    for partner in partners:
        partner.ask()


# --- the tree ---

def too_long(*_):
    raise TimeoutError("it waits in vain")


def branch(part, rest):
    """Makes a process's items, then the next process's; answers with all results when asked."""
    ours, theirs = socket.socketpair()

    def live():
        ours.close()
        made = []
        for make in part:
            halves = make()
            next(halves)
            made.append((make.__name__, halves))
        below = branch(rest[0], rest[1:]) if rest else None
        theirs.sendall(b"ready\n")
        theirs.recv(1)
        signal.signal(signal.SIGALRM, too_long)
        lines = []
        for name, halves in made:
            signal.alarm(10)
            lines.append(f"{name} {'failed: ' + wrong if (wrong := finish(halves)) else 'ok'}")
        signal.alarm(0)
        if below:
            below.sendall(b"\n")
            lines += below.makefile().read().splitlines()
        theirs.sendall("".join(line + "\n" for line in lines).encode())
        os._exit(0)

    child(live)
    theirs.close()
    if ours.recv(6) != b"ready\n":
        sys.exit("a process could not set its items up")
    return ours


def main():
    os.makedirs(FOLDER)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    tree = branch(items[::2], [items[1::2]])
    with socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("listening", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rw") as file:
                for line in file:
                    if line == "items\n":
                        answer = "".join(f"{make.__name__}\n" for make in items)
                    else:
                        tree.sendall(b"\n")
                        answer = tree.makefile().read()
                    file.write(answer + "end\n")
                    file.flush()


main()
