#!/usr/bin/env python3
"""A flow that runs until it dies: both ends send a few bytes twenty times a second.

flow.py tcp|udp serve PORT LOG
flow.py tcp|udp connect ADDR PORT LOG

Each end writes the time at which it last received something to its log, in seconds since 1970.
"""

import os
import select
import socket
import sys
import time

PERIOD = 0.05


class Log:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def received(self):
        os.pwrite(self.fd, b"%.3f\n" % time.time(), 0)


def chat(s, log, peer=None):
    """Sends and receives for ever; peer is where datagrams go, learned from the first where None."""
    datagrams = s.type == socket.SOCK_DGRAM
    due = time.monotonic()
    while True:
        readable, _, _ = select.select([s], [], [], max(0, due - time.monotonic()))
        if readable:
            try:
                data, origin = s.recvfrom(64)
            except OSError:
                if not datagrams:
                    return
                continue
            if not datagrams and not data:
                return
            if datagrams:
                peer = peer or origin
            log.received()
        if time.monotonic() >= due:
            due = time.monotonic() + PERIOD
            try:
                if not datagrams:
                    s.send(b"tick", socket.MSG_DONTWAIT)
                elif peer:
                    s.sendto(b"tick", peer)
            except OSError:
                if not datagrams and not isinstance(sys.exc_info()[1], BlockingIOError):
                    return


def main():
    kind, role = sys.argv[1:3]
    log = Log(sys.argv[-1])
    if kind == "udp":
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        if role == "serve":
            s.bind(("::", int(sys.argv[3])))
            chat(s, log)
        else:
            chat(s, log, (sys.argv[3], int(sys.argv[4])))
    elif role == "serve":
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::", int(sys.argv[3])))
        s.listen()
        while True:
            chat(s.accept()[0], log)
    else:
        chat(socket.create_connection((sys.argv[3], int(sys.argv[4])), 5), log)


main()
