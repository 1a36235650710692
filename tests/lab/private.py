#!/usr/bin/env python3
"""Run a command in a mount namespace in which nothing is shared with the outside.

unshare --mount does the same, except in a chroot whose root is no mount point: there the propagation of
the mount beneath can only be changed from its own root. So step out of the chroot for a moment, in the
new namespace, and back in. Needs root.
"""

import ctypes
import os
import sys
import tempfile

CLONE_NEWNS = 0x00020000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        sys.exit("private.py: %s: %s" % (what, os.strerror(ctypes.get_errno())))


def main():
    check(libc.unshare(CLONE_NEWNS), "unshare")
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    with tempfile.TemporaryDirectory() as inner:
        os.chroot(inner)
        os.fchdir(root)
        while not os.path.samestat(os.stat("."), os.stat("..")):
            os.chdir("..")
        # ".." ends at the root of the namespace's own tree of mounts.
        check(libc.mount(None, b".", None, MS_REC | MS_PRIVATE, None), "make mounts private")
        os.fchdir(root)
        os.chroot(".")
    os.fchdir(here)
    os.close(here)
    os.close(root)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
