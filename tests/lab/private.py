#!/usr/bin/env python3
"""Run a command in a mount namespace of its own whose root is a mount point.

For a chroot: there unshare --mount, ip netns exec and nsenter --mount fail or lead out of it, because
its root is no mount point. So step out of it in the new namespace, where nothing is shared with the
outside any more, make the chroot's tree a mount and that mount the root. Needs root.
"""

import ctypes
import os
import platform
import sys
import tempfile

CLONE_NEWNS = 0x00020000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        sys.exit("private.py: %s: %s" % (what, os.strerror(ctypes.get_errno())))


def directory(path):
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def main():
    pivot_root = SYS_PIVOT_ROOT.get(platform.machine())
    if pivot_root is None:
        sys.exit("private.py: no number of pivot_root for " + platform.machine())
    here = os.getcwd()
    inner = tempfile.mkdtemp()
    check(libc.unshare(CLONE_NEWNS), "unshare")
    old = directory("/")
    # With the root elsewhere, ".." leads up to the root of the namespace's own tree of mounts.
    os.chroot(inner)
    os.fchdir(old)
    while not os.path.samestat(os.stat("."), os.stat("..")):
        os.chdir("..")
    os.chroot(".")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    os.fchdir(old)
    target = os.path.relpath(inner, "/")
    check(libc.mount(b".", target.encode(), None, MS_BIND | MS_REC, None), "bind the root")
    os.chdir(target)
    check(libc.syscall(pivot_root, b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "detach the outside")
    os.chroot(".")
    os.rmdir(inner)
    os.chdir(here)
    os.close(old)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
