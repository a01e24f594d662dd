"""A command in Linux namespaces of its own: `python -I -S namespaces.py PLAN COMMAND...`, PLAN in JSON.

What bubblewrap does, for machines without it: new user, mount, process, network, IPC, host and cgroup namespaces; a
root of nothing but the places named, read-only; no capabilities; and every process ends with this one. Standard
library only, and nothing of bnlib: it is run as a script. It ends with the command's exit status, 128 + number for a
signal, or 125 and one line on standard error if a step failed.

Source: unshare(2), user_namespaces(7), pid_namespaces(7), mount_setattr(2), pivot_root(2).
"""

import ctypes
import json
import os
import signal
import sys

FAILED = 125
_NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x02000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_NOSUID, _NODEV, _NOEXEC = 0x2, 0x4, 0x8
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000  # the number is the same on every architecture
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_DETACH = 2
_PDEATHSIG, _CAPBSET_DROP, _NO_NEW_PRIVS, _DUMPABLE = 1, 24, 38, 4
_CAPABILITY_VERSION = 0x20080522
INSIDE = 1000  # who the worker is within

_libc = ctypes.CDLL(None, use_errno=True)


def main(plan: dict, command: list[str]) -> int:
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_NAMESPACES), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{INSIDE} {user} 1")
    _write("/proc/self/gid_map", f"{INSIDE} {group} 1")
    return _follow(lambda: _first(plan, command))


def _first(plan: dict, command: list[str]) -> int:
    """Process 1 of the new namespace: whatever is left in it ends when this one does."""
    _end_with_parent()
    _furnish(plan)
    _give_up_privileges()
    return _follow(lambda: _become(command))


def _become(command: list[str]) -> int:
    os.setsid()
    _end_with_parent()
    os.execv(command[0], command)


def _follow(call) -> int:
    """Run a call in a child, with our streams, and return how it ended."""
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            status = call()
        except OSError as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(status)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # the pipes end when the worker does
        os.dup2(null, stream)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _furnish(plan: dict) -> None:
    """Build the new root and enter it; the old one is gone afterwards."""
    root = plan["root"]
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=4m,mode=755")
    for place in plan["shown"]:
        _show(place, root, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)
    for device in plan["devices"]:
        _show(f"/dev/{device}", root, _ATTR_NOSUID)
    for place, target in plan["links"]:
        os.symlink(target, root + place)
    for folder in ("/proc", plan["scratch"]):
        os.mkdir(root + folder)
    _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _restrict(f"{root}/proc", _ATTR_RDONLY)  # a worker of root's would else be let into /proc/sys
    for folder in plan["hidden"]:
        _mount("tmpfs", root + folder, "tmpfs", _NOSUID | _NODEV, "size=4k")
        _restrict(root + folder, _ATTR_RDONLY)
    size = f"size={plan['scratch_bytes']},nr_inodes=4096,mode=700"
    _mount("tmpfs", root + plan["scratch"], "tmpfs", _NOSUID | _NODEV, size)
    _restrict(root, _ATTR_RDONLY, recursive=False)
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount")
    os.chdir(plan["scratch"])


def _show(place: str, root: str, attributes: int) -> None:
    target = root + place
    if os.path.isdir(place):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(place, target, None, _BIND | _RECURSIVE)
    _restrict(target, attributes)


def _mount(what: str | None, where: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (what, where, kind, options)]
    _check(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount on {where}")


def _restrict(where: str, attributes: int, *, recursive: bool = True) -> None:
    settings = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)  # struct mount_attr: set, clear, propagation, user namespace
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(where), flags, settings, ctypes.sizeof(settings))
    _check(result, f"mount_setattr on {where}")


def _give_up_privileges() -> None:
    """No capability is left, and none can be had by executing a file."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        _check(_libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0), "dropping capabilities")
    _check(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing), "capset")
    _check(_libc.prctl(_DUMPABLE, 0, 0, 0, 0), "dumpable")  # nobody within reads or traces process 1


def _end_with_parent() -> None:
    _check(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _check(result: int, step: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{step}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        status = main(json.loads(sys.argv[1]), sys.argv[2:])
    except OSError as error:
        print(error, file=sys.stderr)
        status = FAILED
    os._exit(status)
