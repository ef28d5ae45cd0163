#!/usr/bin/env python3
"""Clients of srv.py that miss nothing: every reply must come, once, in order.

Each of the connections sends numbered lines, either every 20 ms whatever comes back (--mode steady)
or as soon as the last one was answered (--mode wait). At the end, by time or on SIGTERM or SIGINT,
the replies still due are awaited and one line of JSON is printed (a connection that ends is told of on stderr at once):

  gap_ms        the longest time between two replies of one connection: the pause that a user sees
  gap_at        when it began, seconds since 1970
  replies       how many came; lost_replies: how many never did; wrong_replies: doubled or out of order
  connection    kept, reset, closed, or silent (replies due at the end did not come)
  p50_ms, p99_ms   from sending to reply; rest_p99_ms the same without what was in flight in its
                connection's longest gap
  servers       who answered, as "PID HOSTNAME"
  latencies     with --latencies: [when sent, seconds since 1970; milliseconds to its reply] of each
"""
import argparse
import collections
import json
import selectors
import signal
import socket
import sys
import time


class Connection:
    def __init__(self, address, wait_for_server):
        deadline = time.monotonic() + wait_for_server
        while True:
            try:
                self.socket = socket.create_connection(address, timeout=5)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.state = "kept"
        self.pending = b""
        self.sent = collections.deque()     # when each unanswered line was sent
        self.due = 0.0                      # when the next line is to be sent
        self.last_number = 0
        self.last_reply = None
        self.gap = (0.0, 0.0, 0.0)          # length, beginning, end
        self.latencies = []                 # (sent, answered)
        self.lost = 0
        self.wrong = 0
        self.servers = set()

    def send(self, now):
        try:
            if self.socket.send(b"x\n") == 2:
                self.sent.append(now)
        except BlockingIOError:
            pass                            # the send buffer is full: the pause is a long one
        except OSError:
            self.end("reset")

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            return self.end("reset")
        if not data:
            return self.end("closed")
        now = time.monotonic()
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            self.take(line, now)

    def take(self, line, now):
        number, _, server = line.partition(b" ")
        number = int(number)
        self.servers.add(server.decode())
        if number <= self.last_number or not self.sent:
            self.wrong += 1
            return
        for _ in range(number - self.last_number - 1):
            self.lost += 1
            if self.sent:
                self.sent.popleft()
        self.last_number = number
        if self.last_reply is not None and now - self.last_reply > self.gap[0]:
            self.gap = (now - self.last_reply, self.last_reply, now)
        self.last_reply = now
        if self.sent:
            self.latencies.append((self.sent.popleft(), now))

    def end(self, state):
        self.state = state
        print(f"a connection ended at {time.strftime('%H:%M:%S')}: {state}", file=sys.stderr, flush=True)
        self.lost += len(self.sent)
        self.sent.clear()


def percentile(values, share):
    return round(values[min(len(values) - 1, int(len(values) * share))] * 1000, 2) if values else None


def run(connections, arguments):
    stop = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.append(True))
    selector = selectors.DefaultSelector()
    for index, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        # Spread over the interval, as independent users would be.
        connection.due = time.monotonic() + arguments.every / 1000 * index / len(connections)
    interval = arguments.every / 1000
    end = time.monotonic() + arguments.duration
    drained = None
    while True:
        now = time.monotonic()
        alive = [c for c in connections if c.state == "kept"]
        if drained is None and (stop or now >= end or not alive):
            drained = now + arguments.drain
        if drained is not None and (now >= drained or not any(c.sent for c in alive)):
            break
        if drained is None:
            for connection in alive:
                if now < connection.due or (arguments.mode == "wait" and connection.sent):
                    continue
                connection.send(now)
                connection.due = max(connection.due + interval, now if arguments.mode == "steady" else now + interval)
            timeout = max(0.0, min([c.due for c in alive if not (arguments.mode == "wait" and c.sent)], default=now + 0.05) - now)
        else:
            timeout = 0.05
        for key, _ in selector.select(min(timeout, 0.05)):
            key.data.receive()
            if key.data.state != "kept":
                selector.unregister(key.fileobj)
    for connection in connections:
        if connection.state == "kept" and connection.sent:
            connection.end("silent")


def report(connections, started, clock, with_latencies):
    worst = max(connections, key=lambda c: c.gap[0]).gap
    pairs = [pair for c in connections for pair in c.latencies]
    everything = sorted(answered - sent for sent, answered in pairs)
    rest = sorted(a - s for c in connections for s, a in c.latencies if a <= c.gap[1] or s >= c.gap[2])
    states = [c.state for c in connections]
    lost = sum(c.lost for c in connections)
    wrong = sum(c.wrong for c in connections)
    state = next((s for s in ("reset", "closed", "silent") if s in states), "kept")
    result = {
        "ok": state == "kept" and lost == 0 and wrong == 0 and bool(pairs),
        "connection": state,
        "connections": len(connections),
        "connections_kept": states.count("kept"),
        "replies": len(pairs),
        "lost_replies": lost,
        "wrong_replies": wrong,
        "gap_ms": round(worst[0] * 1000, 1),
        "gap_at": round(worst[1] + clock, 3),
        "p50_ms": percentile(everything, 0.50),
        "p99_ms": percentile(everything, 0.99),
        "rest_p99_ms": percentile(rest, 0.99),
        "seconds": round(time.monotonic() - started, 1),
        "servers": sorted(set().union(*(c.servers for c in connections))),
    }
    if with_latencies:
        result["latencies"] = [(round(sent + clock, 6), round((answered - sent) * 1000, 3)) for sent, answered in sorted(pairs)]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--mode", choices=("steady", "wait"), default="steady")
    parser.add_argument("--every", type=float, default=20, help="milliseconds between two lines (20)")
    parser.add_argument("--duration", type=float, default=3600, help="seconds, if not stopped before")
    parser.add_argument("--drain", type=float, default=15, help="seconds to wait for the last replies")
    parser.add_argument("--latencies", action="store_true", help="tell each reply's time")
    parser.add_argument("--wait-for-server", type=float, default=15, help="seconds to try to connect")
    arguments = parser.parse_args()

    connections = [Connection((arguments.host, arguments.port), arguments.wait_for_server) for _ in range(arguments.connections)]
    print(f"connected {len(connections)}", file=sys.stderr, flush=True)
    started, clock = time.monotonic(), time.time() - time.monotonic()
    run(connections, arguments)
    result = report(connections, started, clock, arguments.latencies)
    print(json.dumps(result), flush=True)
    return 0 if result["ok"] else 1


sys.exit(main())
