#!/usr/bin/env python3
"""relay.py BUILD_DIR: what `jmesh relay` costs, beside servers that do less or the same.

Servers have one processor of the machine and the load generator (load.c) another. A figure is the
processor time that a server takes for a request or for a pairing, with all its threads and
processes, and never how long one waits: the load generator may be what is slower. The servers take
turns, round after round, and a ratio is the median of those of the rounds: whatever else the
machine does falls on all of them, the more evenly the shorter a round is. Latencies are of a closed
loop: 64 connections, each of which asks again as soon as it is answered.

The relay and nginx write their access logs, a line a request, to files; constant and the Python
relay write none. Exit status 1 where a limit is exceeded.
"""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS = 64
# Pairings that are read in turn, each by a client of its own, so that nobody is over his limit.
POLLED = 256
# Connections that are open, and idle, while memory is measured: as many as `make load` has clients.
IDLE = 200
# Seconds in which a server closes the connections of its round: that must not fall on the next one.
SETTLE = 0.05

NGINX = """
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx.errors;
events {{ }}
http {{
	access_log {dir}/nginx.log;
	client_body_temp_path {dir}/nginx.body;
	proxy_temp_path {dir}/nginx.proxy;
	fastcgi_temp_path {dir}/nginx.fastcgi;
	uwsgi_temp_path {dir}/nginx.uwsgi;
	scgi_temp_path {dir}/nginx.scgi;
	# By itself it would close a connection after 1000.
	keepalive_requests 1000000000;
	server {{
		listen 127.0.0.1:{port};
		default_type application/json;
		add_header Cache-Control no-store;
		add_header X-Content-Type-Options nosniff;
		location / {{ return 200 '{{"joined":false}}'; }}
	}}
}}
"""


class Failed(Exception):
    pass


def processors():
    """Of the servers and of the load generator."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Failed("servers and load need a processor each, and this machine has one")
    return allowed[0], allowed[1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(where):
    family, to = socket.AF_UNIX, str(where)
    if isinstance(where, int):
        family, to = socket.AF_INET, ("127.0.0.1", where)
    with socket.socket(family) as s:
        s.settimeout(1)
        return s.connect_ex(to) == 0


class Server:
    """A process on the servers' processor; beside are others whose time and memory count as its."""

    def __init__(self, bench, name, argv, where=None, beside=()):
        """where: the port or the socket that it will listen on; None: it says a port itself."""
        self.name = name
        self.where = where
        self.beside = beside
        self.out = bench.dir / f"{name}.out"
        with open(self.out, "wb") as out:
            try:
                self.process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    preexec_fn=lambda: os.sched_setaffinity(0, {bench.cpu}),
                )
            except FileNotFoundError as e:
                raise Failed(f"{e.filename} is missing; on Debian: sudo sh packaging/setup.sh")
        bench.servers.append(self)
        deadline = time.monotonic() + 20
        while not self.is_up():
            if time.monotonic() > deadline:
                raise Failed(f"{name} does not come up")
            time.sleep(0.02)

    def is_up(self):
        said = self.out.read_text(errors="replace")
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended: {said[-500:]}")
        if self.where is None:
            found = re.search(r"listening on http://[^ ]*:(\d+)", said)
            self.where = int(found[1]) if found else None
        return self.where is not None and answers(self.where)

    def pids(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children), *(p for s in self.beside for p in s.pids())]

    def resident(self):
        """Bytes."""
        status = (pathlib.Path(f"/proc/{p}/status").read_text() for p in self.pids())
        return sum(int(re.search(r"VmRSS:\s*(\d+) kB", s)[1]) * 1024 for s in status)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bench:
    def __init__(self, build, directory):
        self.build = build
        self.dir = pathlib.Path(directory)
        self.cpu, self.load_cpu = processors()
        self.servers = []
        self.failed = False
        help_text = subprocess.run(
            [build / "jmesh", "relay", "--help"], capture_output=True, text=True, check=True
        ).stdout
        self.knows = set(re.findall(r"^  (--[a-z-]+)", help_text, re.M))

    def relay(self, name="relay", options=(), beside=()):
        argv = [self.build / "jmesh", "relay", "--listen", "127.0.0.1:0"]
        argv += ["--trusted-proxy", "127.0.0.1", *options]
        # There is one processor for it.
        argv += ["--workers", "1"] if "--workers" in self.knows else []
        return Server(self, name, argv, beside=beside)

    def constant(self):
        return Server(self, "constant", [self.build / "tests/bench/constant"])

    def aiohttp(self):
        port = free_port()
        argv = [sys.executable, "-I", HERE / "aiohttp_relay.py", str(port)]
        return Server(self, "aiohttp", argv, port)

    def nginx(self):
        port = free_port()
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX.format(dir=self.dir, port=port))
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        argv = [program or "nginx", "-c", conf, "-p", self.dir, "-e", self.dir / "nginx.errors"]
        return Server(self, "nginx", argv, port)

    def redis(self):
        path = self.dir / "redis.sock"
        argv = ["redis-server", "--port", "0", "--unixsocket", path, "--save", ""]
        return Server(self, "redis", [*argv, "--dir", self.dir], path)

    def start_load(self, kind, server, connections, count):
        argv = [self.build / "tests/bench/load", kind, server.where, connections, count]
        argv += [self.dir / f"{server.name}.codes", *server.pids()]
        return subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.load_cpu}),
        )

    def load(self, kind, server, count):
        """What load.c says, as a dictionary."""
        with self.start_load(kind, server, CONNECTIONS, count) as process:
            out, _ = process.communicate("")
        if process.returncode != 0:
            raise Failed(f"{kind} of {server.name}: {out.strip() or 'no answer'}")
        words = out.split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def stop(self):
        for server in self.servers:
            server.stop()
        self.servers = []

    def say(self, name, ratio, limit, figures):
        self.failed = self.failed or ratio > limit
        print(f"{name:22} {ratio:7.3f}      limit {limit:<9g}({figures})", flush=True)


def rounds(n, servers, measure):
    """For each server the figures of n rounds; one before them warms up.

    Every other round goes backwards: what a server finds in the processor's caches is what the one
    before it left, and of that two servers on one library have more in common than others.
    """
    seen = {s.name: [] for s in servers}
    for i in range(n + 1):
        for s in servers if i % 2 == 0 else reversed(servers):
            figures = measure(s)
            time.sleep(SETTLE)
            if i > 0:
                seen[s.name].append(figures)
    return seen


def ratio(seen, ours, theirs, key="each"):
    return statistics.median(a[key] / b[key] for a, b in zip(seen[ours], seen[theirs]))


def us(seen, name, key="each"):
    return f"{statistics.median(f[key] for f in seen[name]) / 1e3:.1f} us"


def reads(bench):
    """A read of a pairing that nobody joined yet; the codes are the relay's own."""
    relay, constant, nginx, aiohttp = (
        bench.relay(),
        bench.constant(),
        bench.nginx(),
        bench.aiohttp(),
    )
    for s in relay, aiohttp:
        bench.load("create", s, POLLED)
    for s in constant, nginx:
        shutil.copy(bench.dir / "relay.codes", bench.dir / f"{s.name}.codes")

    def measure(server):
        figures = bench.load("get", server, 500 if server is aiohttp else 5000)
        return figures | {"each": figures["cpu"] / figures["requests"]}

    seen = rounds(72, [relay, constant, nginx, aiohttp], measure)
    bench.stop()
    for other, limit in ("constant", 1.15), ("nginx", 1.3):
        figures = f"{us(seen, 'relay')} of processor beside {us(seen, other)}"
        bench.say(f"relay-get-{other}", ratio(seen, "relay", other), limit, figures)
    # Whoever else wants a processor shows in the slowest answers, so each server's best round counts.
    p99 = {name: min(f["p99"] for f in figures) for name, figures in seen.items()}
    figures = ", ".join(f"{name} {t / 1e3:.0f} us" for name, t in p99.items())
    bench.say("relay-get-p99-nginx", p99["relay"] / p99["nginx"], 1.5, figures)


def pair(bench, servers, counts):
    """Whole pairings: create, join and read, 10 jails a side."""

    def measure(server):
        count = counts[server.name]
        return {"each": bench.load("pair", server, count)["cpu"] / count}

    seen = rounds(16, servers, measure)
    bench.stop()
    return seen


def pairings(bench):
    servers = [bench.relay(), bench.aiohttp()]
    seen = pair(bench, servers, {"relay": 4000, "aiohttp": 500})
    figures = f"{us(seen, 'relay')} of processor beside {us(seen, 'aiohttp')}"
    bench.say("relay-pair-aiohttp", ratio(seen, "relay", "aiohttp"), 1 / 8, figures)


def redis(bench):
    """Whole pairings in a Redis, whose own time counts, beside those in memory."""
    if "--store" not in bench.knows:
        print("relay-pair-redis         left out: this relay keeps pairings in memory alone")
        return
    store = bench.redis()
    over = bench.relay("redis-relay", ["--store", f"unix://{store.where}"], [store])
    seen = pair(bench, [over, bench.relay()], {"redis-relay": 2000, "relay": 4000})
    figures = f"{us(seen, 'redis-relay')} of processor beside {us(seen, 'relay')}"
    bench.say("relay-pair-redis", ratio(seen, "redis-relay", "relay"), 10, figures)


def memory(bench):
    """Of 10,000 open pairings of 10 jails and the idle connections that made them."""
    resident = {}
    for server in bench.relay(), bench.aiohttp():
        with bench.start_load("create", server, IDLE, 10000) as process:
            line = process.stdout.readline()
            if " errors 0 " not in line:
                raise Failed(f"create of {server.name}: {line.strip() or 'no answer'}")
            resident[server.name] = server.resident() / 2**20
            process.stdin.close()
        server.stop()
    bench.say(
        "relay-memory-aiohttp",
        resident["relay"] / resident["aiohttp"],
        1 / 4,
        f"{resident['relay']:.1f} MiB beside {resident['aiohttp']:.1f} MiB",
    )


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="jmesh-bench-") as directory:
        bench = Bench(pathlib.Path(sys.argv[1]).resolve(), directory)
        try:
            for measure in reads, pairings, memory, redis:
                measure(bench)
        finally:
            bench.stop()
    return bench.failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as e:
        sys.exit(f"relay.py: {e}")
