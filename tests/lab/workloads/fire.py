#!/usr/bin/env python3
"""Memory under fire: writes, maps, unmaps and forks at random, and knows what every page must hold.

A client's line is answered by one that starts with its number and "right" or "wrong", after all pages were looked
at. MEMORY is how many MiB there are, DIRTY about how many MiB of pages are written each second.
"""
import ctypes
import mmap
import os
import random
import socket
import struct
import threading
import time

MEMORY = int(os.environ.get("MEMORY", "64"))
DIRTY = float(os.environ.get("DIRTY", "20"))
PORT = int(os.environ.get("PORT", "9100"))
PAGE = 4096
REGION = 4 << 20
libc = ctypes.CDLL(None, use_errno=True)


class Regions:
    def __init__(self, count):
        self.lock = threading.Lock()
        self.random = random.Random(os.getpid())
        self.regions = [self.make() for _ in range(count)]

    def make(self):
        region = mmap.mmap(-1, REGION, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        versions = [0] * (REGION // PAGE)
        entry = (region, versions)
        for page in range(len(versions)):
            if page % 4:  # every fourth stays untouched until it is written by chance
                self.write(entry, page)
        return entry

    def write(self, entry, page):
        region, versions = entry
        versions[page] = self.random.randrange(1, 1 << 62)
        word = struct.pack("<Q", versions[page])
        region[page * PAGE:(page + 1) * PAGE] = word * (PAGE // 8)

    def step(self):
        with self.lock:
            dice = self.random.random()
            if dice < 0.004:
                victim = self.random.randrange(len(self.regions))
                self.regions[victim][0].close()  # munmap, and a new map at the same place as often as not
                self.regions[victim] = self.make()
            elif dice < 0.008:
                region, versions = self.random.choice(self.regions)
                start = self.random.randrange(len(versions) - 64)
                region.madvise(mmap.MADV_DONTNEED, start * PAGE, 64 * PAGE)
                versions[start:start + 64] = [0] * 64
            elif dice < 0.010:
                self.fork()
            else:
                entry = self.random.choice(self.regions)
                self.write(entry, self.random.randrange(len(entry[1])))

    def fork(self):
        child = os.fork()
        if child == 0:
            for _ in range(200):
                entry = self.random.choice(self.regions)
                self.write(entry, self.random.randrange(len(entry[1])))
            time.sleep(0.3)
            os._exit(0 if not self.wrong() else 1)

    def wrong(self):
        found = []
        for number, (region, versions) in enumerate(self.regions):
            for page, version in enumerate(versions):
                if region[page * PAGE:(page + 1) * PAGE] != struct.pack("<Q", version) * (PAGE // 8):
                    found.append((number, page))
        return found


def burn(regions, failures):
    share = 0
    while True:
        regions.step()
        share += 1
        if share * PAGE >= DIRTY * (1 << 20) / 50:
            share = 0
            time.sleep(0.02)
        try:
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[1]:
                    failures.append(ended)
        except ChildProcessError:
            pass


def answer(connection, regions, failures):
    with connection, connection.makefile("r") as lines:
        for number, _ in enumerate(lines, 1):
            with regions.lock:
                wrong = regions.wrong()
            verdict = f"wrong {wrong[:5]} {failures[:5]}" if wrong or failures else "right"
            connection.sendall(f"{number} {verdict}\n".encode())


def main():
    regions = Regions(max(1, (MEMORY << 20) // REGION))
    failures = []
    threading.Thread(target=burn, args=(regions, failures), daemon=True).start()
    with socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("listening", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection, regions, failures), daemon=True).start()


main()
