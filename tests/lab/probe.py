#!/usr/bin/env python3
"""probe.py ADDR TCP_PORT UDP_PORT: prints which of ping, tcp and udp are answered there within two seconds."""

import socket
import subprocess
import sys
import threading

addr, tcp, udp = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
answered = []


def try_ping():
    words = ["ping", "-n", "-c", "4", "-i", "0.4", "-W", "1", addr]
    if subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        answered.append("ping")


def try_tcp():
    try:
        socket.create_connection((addr, tcp), 2).close()
        answered.append("tcp")
    except OSError:
        pass


def try_udp():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    for _ in range(4):
        try:
            s.sendto(b"probe", (addr, udp))
            s.recv(64)
            answered.append("udp")
            return
        except OSError:
            pass


threads = [threading.Thread(target=t) for t in (try_ping, try_tcp, try_udp)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(*sorted(answered))
