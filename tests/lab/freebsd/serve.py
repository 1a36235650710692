#!/usr/bin/python3 -IS
"""Runs the stand-ins of tests/lab/freebsd/served: serve.py SOCKET FOLDER.

A lab runs pfctl some thousand times, and most of what it takes is Python's start. So Python is started once
in a lab, reads the programs, and has threads that call their run(argv); tests/lab/standin.c has the process
that their caller sees. A message is that program's words, each with a NUL at its end, with its standard input,
output and error, its root and working directories and its network namespace, all of which a thread can have
for itself; the answer is one byte, the exit status.
"""
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import traceback

WORDS_MAX = 1 << 16
CLONE_FS = 0x00000200
CLONE_NEWNET = 0x40000000
# So many run at the same time; a caller that leaves its end of a pipe open holds one of them.
THREADS = 64

libc = ctypes.CDLL(None, use_errno=True)


class Sys(threading.local):
    """What the programs know as sys: streams are their caller's."""

    byteorder = sys.byteorder
    exit = staticmethod(sys.exit)


own = Sys()


def say(text):
    own.stdout.write(text + "\n")


def call(what, *words):
    if what(*words) != 0:
        raise OSError(ctypes.get_errno(), what.__name__)


def enter(root, directory, stack):
    call(libc.setns, stack, CLONE_NEWNET)
    os.fchdir(root)
    os.chroot(".")
    os.fchdir(directory)
    for fd in root, directory, stack:
        os.close(fd)


def run(program, argv):
    try:
        return program(argv)
    except SystemExit as end:
        return end.code
    except Exception:
        traceback.print_exc(file=own.stderr)
        return 70


def answer(connection, programs):
    words, fds, _, _ = socket.recv_fds(connection, WORDS_MAX, 6, socket.MSG_CMSG_CLOEXEC)
    argv = words.decode("utf-8", "surrogateescape").split("\0")[:-1]
    open_as = {"encoding": "utf-8", "errors": "surrogateescape"}
    with (
        open(fds[0], "r", **open_as) as own.stdin,
        open(fds[1], "w", **open_as) as own.stdout,
        open(fds[2], "w", **open_as) as own.stderr,
    ):
        enter(*fds[3:])
        status = run(programs[os.path.basename(argv[0])], argv[1:])
    connection.send(bytes([status]))


def serve(listener, programs):
    call(libc.unshare, CLONE_FS)
    while True:
        connection, _ = listener.accept()
        # Without an answer the caller says that its program ended by itself.
        with connection:
            try:
                answer(connection, programs)
            except OSError as e:
                sys.stderr.write("%s\n" % e)


def main():
    path, folder = sys.argv[1:]
    programs = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            program = {"__name__": name}
            exec(compile(file.read(), name, "exec"), program)
            program.update(sys=own, print=say)
            programs[name] = program["run"]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    threads = [threading.Thread(target=serve, args=(listener, programs)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
