"""What a worker takes away from itself before it runs a learner's code: memory, time, files, processes, sockets.

The namespaces around it keep files, network and other processes out of sight. This is the second lock, by resource
limits and by a seccomp filter, and the only one on memory, time and forking. Neither can be undone from within.

Source: getrlimit(2), seccomp(2), Linux 6.x include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls.
"""

import ctypes
import errno
import math
import os
import resource
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one worker may use.

    memory: bytes on top of what Python, torch and bnlib take. cpu: seconds of computing. wall: seconds for a notebook.
    cell, ask: seconds for one cell, one question. file, scratch: bytes of one file and of all files together.
    """

    memory: int = 1 << 30
    cpu: int = 120
    wall: float = 300.0
    cell: float = 60.0
    ask: float = 10.0
    file: int = 16 << 20
    scratch: int = 64 << 20


_THREADS, _FILES = 256, 128
_CLONE_THREAD = 0x10000

# system calls that a notebook of this course has no use for, by number on x86-64 and arm64; None: not there
_FORBIDDEN = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "syslog": (103, 116),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),  # memory that no limit counts
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
_MACHINES = {
    "x86_64": (0, 0xC000003E, 56, 317),
    "aarch64": (1, 0xC00000B7, 220, 277),
}  # column, AUDIT_ARCH, clone, seccomp
_CLONE3 = 435  # its flags lie in memory, where no filter can read them; glibc then takes clone
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: ld [k]; jeq, jge, jset, ret k
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data


def confine(limits: Limits) -> None:
    """Limit this process for good.

    Raises:
        OSError: the kernel refuses, or this kind of machine is unknown.
    """
    for kind, value in _amounts(limits).items():
        _limit(kind, value)
    _filter_calls()


def _amounts(limits: Limits) -> dict[int, int]:
    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        resource.RLIMIT_AS: taken + limits.memory,
        resource.RLIMIT_CPU: limits.cpu + math.ceil(used.ru_utime + used.ru_stime),
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_NPROC: _THREADS,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    above = value + 2 if kind == resource.RLIMIT_CPU and value + 2 <= (hard if hard > 0 else value + 2) else value
    resource.setrlimit(kind, (value, above))  # at the first of the two SIGXCPU, which tells why; then SIGKILL


def _filter_calls() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    machine = os.uname().machine
    if machine not in _MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {machine}")
    code = _program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    program = Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    everywhere = 1  # SECCOMP_FILTER_FLAG_TSYNC: threads that imports have started are held, too
    if libc.syscall(_MACHINES[machine][3], 1, everywhere, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the filter of system calls was refused")


def _program(machine: str) -> bytes:
    """The filter as BPF: another architecture's calls kill; what is forbidden gives EPERM, clone3 ENOSYS."""
    column, architecture, clone, _ = _MACHINES[machine]
    lines = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    lines += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]  # the x32 calls
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    for numbers in _FORBIDDEN.values():
        if numbers[column] is not None:
            lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    lines += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _ARGUMENT), (_ANY_BIT, 1, 0, _CLONE_THREAD)]
    lines += [(_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
