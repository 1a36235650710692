#!/usr/bin/python3 -IS
"""Runs the stand-ins of tests/lab/freebsd/served: serve.py SOCKET FOLDER.

A lab runs pfctl some thousand times, and most of what it takes is Python's start. So Python is started once
in a lab, and forks for each of them; tests/lab/standin.c has the process that their caller sees. A message
is that program's words, each with a NUL at its end, with its standard input, output and error, its root
and working directories and its network namespace; the answer is one byte, the exit status.
"""
import ctypes
import gc
import os
import signal
import socket
import sys

# What the programs import is imported once.
import errno  # noqa: F401
import fcntl  # noqa: F401
import marshal  # noqa: F401
import time  # noqa: F401

WORDS_MAX = 1 << 16
CLONE_NEWNET = 0x40000000


def enter(fds):
    root, directory, stack = fds[3:]
    for number in range(3):
        os.dup2(fds[number], number)
    if ctypes.CDLL(None).setns(stack, CLONE_NEWNET) != 0:
        raise OSError("setns")
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(directory)
    for fd in fds:
        os.close(fd)


def run(code):
    try:
        exec(code, {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    sys.stdout.flush()
    return status


def answer(connection, programs):
    words, fds, _, _ = socket.recv_fds(connection, WORDS_MAX, 6)
    sys.argv = words.decode("utf-8", "surrogateescape").split("\0")[:-1]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    enter(fds)
    connection.send(bytes([run(programs[os.path.basename(sys.argv[0])])]))


def main():
    path, folder = sys.argv[1:]
    programs = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            programs[name] = compile(file.read(), name, "exec")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            try:
                answer(connection, programs)
                os._exit(0)
            finally:
                os._exit(1)
        connection.close()


main()
