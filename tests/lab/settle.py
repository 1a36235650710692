#!/usr/bin/env python3
"""Wait until the Yggdrasil nodes of the lab's machines reach each other.

settle.py SECONDS SOCKET... [-- SOCKET...]...

The sockets of each machine stand between "--". In the first seconds of its peerings a node's place in the
tree and the filters that lead to it still change. Whoever asks for the node then may be told a place
that is wrong for a minute, and a session whose first answer was lost waits as long for the next
(ironwood, pathfinder.go and session.go). So first the tree comes to rest, then every two nodes of
different machines talk to each other, both ways at once, which brings up the session in any case.
"""

import json
import os
import socket
import sys
import threading
import time

QUIET = 1.2


def ask(path, request, timeout=2, **arguments):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        # The name of a jail's socket may be longer than connect takes.
        folder = os.open(os.path.dirname(path), os.O_PATH)
        try:
            s.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(path)))
        finally:
            os.close(folder)
        s.sendall(json.dumps({"request": request, "arguments": arguments}).encode())
        answer = b""
        while True:
            more = s.recv(65536)
            answer += more
            try:
                reply = json.loads(answer)
            except ValueError:
                if not more:
                    raise
                continue
            if reply["status"] != "success":
                raise ValueError(reply.get("error"))
            return reply["response"]


def place(path):
    """The keys from the node up to its root."""
    tree = {n["key"]: n["parent"] for n in ask(path, "gettree")["tree"]}
    key = ask(path, "getself")["key"]
    way = [key]
    while tree[key] != key:
        key = tree[key]
        if key in way:
            raise KeyError(key)
        way.append(key)
    return way


def rest(paths, end):
    last, since, problem = None, time.monotonic(), None
    while time.monotonic() < end:
        try:
            now = [place(p) for p in paths]
            problem = None
        except (OSError, KeyError, ValueError) as e:
            now, problem = None, e
        if now is None or now != last or len({way[-1] for way in now}) > 1:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return [way[0] for way in now]
        time.sleep(0.1)
    sys.exit("not at rest: %s" % (problem or [[key[:8] for key in way] for way in last or []]))


def talk(path, key, end, silent):
    while time.monotonic() < end:
        try:
            ask(path, "getnodeinfo", 1, key=key)
            return
        except (OSError, ValueError):
            continue
    silent.append((path, key[:8]))


def main():
    end = time.monotonic() + float(sys.argv[1])
    machines = [[]]
    for word in sys.argv[2:]:
        if word == "--":
            machines.append([])
        else:
            machines[-1].append(word)
    paths = [path for machine in machines for path in machine]
    keys = dict(zip(paths, rest(paths, end)))
    silent, threads = [], []
    for machine in machines:
        for path in machine:
            for other in paths:
                if other not in machine:
                    threads.append(
                        threading.Thread(target=talk, args=(path, keys[other], end, silent))
                    )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if silent:
        sys.exit("no answer: %s" % silent)


main()
