"""fill.py HOST PORT ADMIN ROUNDS: fills a relay again and again, each time by one connection.

Pairings of all sizes are created until one is refused with 503; the next round begins when all of them have
expired, by what ADMIN, the URL of the metrics, says. One line goes to standard output: how many there were.
"""

import http.client
import json
import sys
import time
import urllib.request

SIZES = [1, 200, 5, 60, 20]


def roster(jails):
    return json.dumps(
        {
            "jails": [
                {"name": f"{'n' * 50}{i:04}", "ygg_address": f"2{i & 255:02x}:{i + 1:x}::{i + 1:x}"}
                for i in range(jails)
            ]
        }
    )


def taken(admin):
    with urllib.request.urlopen(admin, timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("jmesh_relay_memory_bytes "):
                return int(line.split()[1])
    sys.exit("fill.py: the relay does not say how much memory it has taken")


def fill(host, port, n):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    rosters = [roster(size) for size in SIZES]
    while True:
        client = {"X-Forwarded-For": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"}
        connection.request("POST", "/pair", rosters[n % len(rosters)], client)
        answer = connection.getresponse()
        answer.read()
        n += 1
        if answer.status != 200:
            connection.close()
            if answer.status != 503:
                sys.exit(f"fill.py: the relay answers {answer.status}")
            return n


def main():
    host, port, admin, times = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    idle, n = taken(admin), 0
    for _ in range(times):
        n = fill(host, port, n)
        while taken(admin) > idle + 2**20:
            time.sleep(0.1)
    print(n)


main()
