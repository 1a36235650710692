#!/usr/bin/env python3
"""Run a service of systemd as its unit says, where systemd itself does not run:

  confine.py UNIT [COMMAND...]     its ExecStart, or COMMAND in its place
  confine.py --kill UNIT ...       a system call that the unit refuses ends the process by SIGSYS

What the unit may not do is refused by the kernel, by the means that systemd itself uses: seccomp, a mount
namespace, no capabilities, limits. What is meant by a set of system calls, systemd-analyze tells. It is
stricter than systemd in one thing: /tmp is read-only as well.
"""

import ctypes
import errno
import os
import re
import resource
import shlex
import socket
import stat
import subprocess
import sys

# Lines that add nothing for who has no capability, no device, an own /proc and files that are all read-only.
GRANTED = """Type Restart RestartSec TasksMax NoNewPrivileges DynamicUser PrivateUsers CapabilityBoundingSet
ProtectSystem ProtectHome PrivateMounts PrivateTmp PrivateDevices DevicePolicy PrivateIPC RemoveIPC KeyringMode
ProtectProc ProcSubset ProtectClock ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules
ProtectKernelTunables LockPersonality RestrictRealtime RestrictSUIDSGID SystemCallArchitectures ExecReload
SetCredential""".split()
# And those without which that would not be so.
REQUIRED = {
    "NoNewPrivileges": "yes", "DynamicUser": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict",
    "PrivateDevices": "yes", "ProtectProc": "invisible", "ProcSubset": "pid", "SystemCallArchitectures": "native",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CLONE_NEWNS = 0x00020000
# cgroup, ipc, net, mount, pid, user, uts, time: sched.h
NAMESPACES = (0x02000000, 0x08000000, 0x40000000, CLONE_NEWNS, 0x20000000, 0x10000000, 0x04000000, 0x80)
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 442, -100, 0x8000, 1, 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
# seccomp.h of libseccomp
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EQ, GT, MASKED_EQ = 4, 6, 7

libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def fail(text):
    sys.exit("confine.py: " + text)


def check(result, what):
    if result != 0:
        fail("%s: %s" % (what, os.strerror(ctypes.get_errno())))


class Unit:
    """The section [Service]: each name with all its values, in order."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.values = {}
        section = None
        for line in open(path, encoding="utf-8"):
            line = line.strip()
            if line.startswith("["):
                section = line
            elif line and not line.startswith("#") and section == "[Service]":
                name, value = line.split("=", 1)
                self.values.setdefault(name, []).append(value)

    def one(self, name):
        (value,) = self.values[name]
        return value

    def environment(self):
        env = {"PATH": PATH, "CREDENTIALS_DIRECTORY": "/run/credentials/" + self.name}
        # LeakSanitizer traces the process at its end, which is refused.
        env["ASAN_OPTIONS"] = "detect_leaks=0"
        path = self.one("EnvironmentFile")
        try:
            text = open(path.lstrip("-"), encoding="utf-8").read()
        except FileNotFoundError:
            text = ""
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.split("=", 1)
                env[name] = " ".join(shlex.split(value))
        return env

    def command(self, env):
        words = []
        for word in self.one("ExecStart").split():
            words += env.get(word[1:], "").split() if re.match(r"\$[A-Z]", word) else [word]
        return words

    def verify(self):
        for name in self.values:
            if name not in GRANTED and name not in HANDLED:
                fail("%s= is not known here" % name)
        for name, value in REQUIRED.items():
            if self.values.get(name) != [value]:
                fail("%s=%s is not in %s" % (name, value, self.name))


def mount(source, target, kind, flags, data=None):
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    check(libc.mount(*words, flags, None if data is None else data.encode()), "mount " + target)


def credential(unit, uid):
    name, source = unit.one("LoadCredential").split(":", 1)
    folder = "/run/credentials/" + unit.name
    try:
        text = open(source, "rb").read()
    except FileNotFoundError:
        text = unit.one("SetCredential").split(":", 1)[1].encode()
    os.makedirs(folder, exist_ok=True)
    mount("none", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755")
    with open(folder + "/" + name, "wb") as out:
        out.write(text)
    os.chmod(folder + "/" + name, 0o400)
    os.chown(folder + "/" + name, uid, uid)


def files(unit, uid):
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    credential(unit, uid)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid,hidepid=invisible")
    if stat.S_ISDIR(os.stat("/dev/net").st_mode):
        mount("none", "/dev/net", "tmpfs", MS_NOEXEC)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    check(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, ctypes.sizeof(attributes)),
          "mount_setattr")


def user():
    """A number that is nobody's, or our own where a user namespace has no other."""
    mapped = sum(int(line.split()[2]) for line in open("/proc/self/uid_map"))
    return 61234 if mapped > 61234 else os.getuid()


def unprivileged(uid):
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def limits(unit):
    for name in ("NOFILE", "CORE"):
        kind = getattr(resource, "RLIMIT_" + name)
        value = int(unit.one("Limit" + name))
        # Who started the lab may be allowed less, and not to raise it.
        most = resource.getrlimit(kind)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))
    os.umask(int(unit.one("UMask"), 8))


class Filter:
    def __init__(self, otherwise):
        self.context = ctypes.c_void_p(seccomp.seccomp_init(otherwise))

    def rule(self, action, call, *compares):
        """False where this architecture has no such call."""
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return False
        array = (Compare * len(compares))(*compares)
        rc = seccomp.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(compares), array)
        if rc < 0:
            fail("%s: %s" % (call, os.strerror(-rc)))
        return True

    def load(self):
        rc = seccomp.seccomp_load(self.context)
        if rc < 0:
            fail("seccomp: " + os.strerror(-rc))
        seccomp.seccomp_release(self.context)


def systemd_sets():
    """Each set with the calls and sets that systemd says are in it."""
    text = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True).stdout
    sets, name = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif name and line.startswith("    ") and "#" not in line:
            sets[name].append(line.strip())
    return sets


def calls_of(word, sets):
    if not word.startswith("@"):
        return {word}
    return {call for part in sets[word] for call in calls_of(part, sets)}


def allowed_calls(unit):
    sets, calls = systemd_sets(), set()
    for value in unit.values["SystemCallFilter"]:
        words = {call for word in value.lstrip("~").split() for call in calls_of(word, sets)}
        calls = calls - words if value.startswith("~") else calls | words
    # systemd allows these always.
    return calls | calls_of("@default", sets)


def refuse_families(unit, refuse):
    families = sorted(int(getattr(socket, word)) for word in unit.one("RestrictAddressFamilies").split())
    f = Filter(ALLOW)
    f.rule(refuse(errno.EAFNOSUPPORT), "socket", Compare(0, GT, families[-1]))
    for family in range(families[-1]):
        if family not in families:
            f.rule(refuse(errno.EAFNOSUPPORT), "socket", Compare(0, EQ, family))
    f.load()


def refuse_code_and_spaces(unit, refuse):
    for name in ("MemoryDenyWriteExecute", "RestrictNamespaces"):
        if unit.one(name) != "yes":
            fail(name + " is not yes")
    f = Filter(ALLOW)
    both = PROT_WRITE | PROT_EXEC
    f.rule(refuse(errno.EPERM), "mmap", Compare(2, MASKED_EQ, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        f.rule(refuse(errno.EPERM), call, Compare(2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    f.rule(refuse(errno.EPERM), "shmat", Compare(2, MASKED_EQ, SHM_EXEC, SHM_EXEC))
    for flag in NAMESPACES:
        f.rule(refuse(errno.EPERM), "unshare", Compare(0, MASKED_EQ, flag, flag))
        f.rule(refuse(errno.EPERM), "clone", Compare(0, MASKED_EQ, flag, flag))
    f.rule(refuse(errno.EPERM), "setns")
    # Its flags are in memory, where no filter looks: the C library then calls clone.
    f.rule(ERRNO | errno.ENOSYS, "clone3")
    f.load()


HANDLED = """EnvironmentFile ExecStart LoadCredential LimitNOFILE LimitCORE UMask MemoryDenyWriteExecute
RestrictNamespaces RestrictAddressFamilies SystemCallFilter SystemCallErrorNumber""".split()


def main():
    words = sys.argv[1:]
    kill = words[0] == "--kill"
    unit = Unit(words[1 if kill else 0])
    command = words[2 if kill else 1:]
    unit.verify()
    env = unit.environment()
    refused = ERRNO | getattr(errno, unit.one("SystemCallErrorNumber"))

    def refuse(number):
        return KILL_PROCESS if kill else ERRNO | number

    calls = Filter(KILL_PROCESS if kill else refused)
    if not sum(calls.rule(ALLOW, call) for call in sorted(allowed_calls(unit))):
        fail("no call is allowed")
    uid = user()
    files(unit, uid)
    limits(unit)
    os.chdir("/")
    unprivileged(uid)
    refuse_families(unit, refuse)
    refuse_code_and_spaces(unit, refuse)
    # The last, because it may refuse seccomp.
    calls.load()
    command = command or unit.command(env)
    os.execvpe(command[0], command, env)


main()
