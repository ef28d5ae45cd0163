#!/usr/bin/env python3
"""What is hard on whoever lets a stopped tree run again. Prints a line for each call that was interrupted though no signal came ("interrupted CALL"), and for
each time that it has noticed a stop ("killed PID"): the first of its processes to run then kills another one, of many threads, which the parent replaces."""
import ctypes
import os
import select
import signal
import threading
import time

STOP = 0.2  # seconds without running that are taken for a stop


def keep_calling(name, call):
    while True:
        if call() < 0:
            print("interrupted", name, flush=True)


def be_killed():
    for _ in range(80):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    while True:
        time.sleep(1000)


def kill_after_a_stop(victims):
    victim, last = int(victims.readline()), time.monotonic()
    while True:
        time.sleep(0.001)
        now = time.monotonic()
        if now - last > STOP:
            os.kill(victim, signal.SIGKILL)
            print("killed", victim, flush=True)
            victim, now = int(victims.readline()), time.monotonic()
        last = now


def spawn(work, *arguments):
    child = os.fork()
    if child == 0:
        work(*arguments)
    return child


reading, writing = os.pipe()
spawn(kill_after_a_stop, os.fdopen(reading))  # older than its victims: it runs first
libc = ctypes.CDLL(None)
epoll = select.epoll()
calls = {
    "poll": lambda: libc.poll(None, 0, 4000),
    "epoll_wait": lambda: libc.epoll_wait(epoll.fileno(), ctypes.create_string_buffer(12), 1, 4000),
}
victim = spawn(be_killed)
for name, call in calls.items():
    threading.Thread(target=keep_calling, args=(name, call), daemon=True).start()
os.write(writing, f"{victim}\n".encode())
print("ready", flush=True)
while True:
    os.waitpid(victim, 0)
    victim = spawn(be_killed)
    os.write(writing, f"{victim}\n".encode())
