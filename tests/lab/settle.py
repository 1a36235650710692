#!/usr/bin/env python3
"""Wait until every Yggdrasil node of the lab knows its final place in the overlay's tree.

settle.py SECONDS SOCKET...

A node's place changes in the first seconds of its peerings, and it tells who asks where it is together with
the time in whole seconds: of two places that it told in one second, those who asked believe the first
for a minute (ironwood, pathfinder.go). So a test that sends packets right after a node's start may have
to wait for that long. Settled is: all have one root, and nothing has moved for more than a second.
"""

import json
import socket
import sys
import time

QUIET = 1.2


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(2)
        s.connect(path)
        s.sendall(json.dumps({"request": request}).encode())
        answer = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            answer += more
            try:
                return json.loads(answer)["response"]
            except ValueError:
                continue
    return json.loads(answer)["response"]


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


def main():
    end = time.monotonic() + float(sys.argv[1])
    last, since, problem = None, time.monotonic(), None
    while time.monotonic() < end:
        try:
            now = [place(p) for p in sys.argv[2:]]
            problem = None
        except (OSError, KeyError, ValueError) as e:
            now, problem = None, e
        if now is None or now != last or len({way[-1] for way in now}) > 1:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return
        time.sleep(0.1)
    sys.exit("not settled: %s" % (problem or [[key[:8] for key in way] for way in last or []]))


main()
