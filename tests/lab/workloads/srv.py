#!/usr/bin/env python3
"""TCP server of numbered replies, on IPv4 and IPv6.

Every line a client sends is answered with one line: NUMBER PID HOSTNAME, where NUMBER counts the
answers of that connection from 1. MEMORY is how many MiB of random memory it holds, DIRTY how many
MiB of them it rewrites each second, PORT where it listens (9000).
"""
import os
import socket
import threading
import time

MEMORY = int(os.environ.get("MEMORY", "16"))
DIRTY = float(os.environ.get("DIRTY", "0"))
PORT = int(os.environ.get("PORT", "9000"))
MIB = 1 << 20
PAGE = 4096


def answer(connection):
    number = 0
    identity = b"%d %s\n" % (os.getpid(), socket.gethostname().encode())
    pending = b""
    with connection:
        while data := connection.recv(65536):
            pending += data
            *lines, pending = pending.split(b"\n")
            replies = bytearray()
            for _ in lines:
                number += 1
                replies += b"%d " % number + identity
            connection.sendall(replies)


def rewrite(memory):
    """Writes one word in each page, evenly over the time: DIRTY MiB of pages a second."""
    pages = len(memory) // PAGE
    page = 0
    due = time.monotonic()
    while True:
        for _ in range(max(1, int(DIRTY * MIB / PAGE / 100))):
            offset = page * PAGE
            memory[offset:offset + 8] = (page ^ time.monotonic_ns()).to_bytes(8, "little")
            page = (page + 1) % pages
        due += max(0.01, PAGE / (DIRTY * MIB))
        time.sleep(max(0, due - time.monotonic()))


def main():
    memory = bytearray(MEMORY * MIB)
    for start in range(0, len(memory), MIB):
        memory[start:start + MIB] = os.urandom(MIB)
    if DIRTY > 0 and memory:
        threading.Thread(target=rewrite, args=(memory,), daemon=True).start()
    with socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128) as server:
        print(f"listening on {PORT}, {MEMORY} MiB, {DIRTY} MiB/s", flush=True)
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


main()
