"""Whether the sandbox holds, tried out within it: each lock is pulled at before a stranger's code comes in.

The process that answers here runs our code alone, so its word can be believed; what can be seen from outside is
looked at from outside as well (`bnlib.learn.grading.sandbox`).
"""

import os
import socket
import threading
from collections.abc import Callable

from bnlib.learn.grading.confine import Limits
from bnlib.learn.grading.view import SCRATCH

# what must have been found, by name; each is the name of a sentence, too
REQUIRED = (
    "no_network",
    "no_local_sockets",
    "no_write",
    "no_kernel_settings",
    "no_foreign_files",
    "no_foreign_processes",
    "no_environment",
    "no_privileges",
    "no_new_processes",
    "no_new_sockets",
    "memory_limited",
    "files_limited",
    "scratch_limited",
    "scratch_writable",
    "threads_work",
)


def before_confinement(target: dict) -> dict[str, bool]:
    """What the namespaces alone must hold back, tried without the second lock.

    Args:
        target: port, address of a local socket, places (to write to), canary (a file), hidden (folders), process,
            environment: what to reach for.
    """
    with socket.socket(socket.AF_INET) as one, socket.socket(socket.AF_UNIX) as other:
        one.settimeout(2)
        other.settimeout(2)
        network = _refused(lambda: one.connect(("127.0.0.1", target["port"])))
        local = _refused(lambda: other.connect("\0" + target["address"]))
    with open("/proc/net/dev", encoding="ascii") as file:
        devices = [line.split(":")[0].strip() for line in file if ":" in line]
    signal_it = lambda: os.kill(target["process"], 0)  # noqa: E731
    processes = [name for name in os.listdir("/proc") if name.isdecimal()]
    return {
        "no_network": network and devices == ["lo"],
        "no_local_sockets": local,
        "no_write": all(_refused(lambda place=place: _write(place)) for place in target["places"]),
        "no_kernel_settings": _refused(lambda: _write("/proc/sys/kernel/core_pattern", "r+b")),
        "no_foreign_files": not any(map(_has_something, [target["canary"], *target["hidden"]])),
        "no_foreign_processes": len(processes) <= 3 and (target["process"] <= 3 or _refused(signal_it)),
        "no_environment": set(os.environ) <= {*target["environment"], "LC_CTYPE", "PWD"},
    }


def after_confinement(limits: Limits) -> dict[str, bool]:
    """What the second lock must hold back, and what must be left to work with."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    found = {
        "no_privileges": all(int(status[name], 16) == 0 for name in sets) and status["NoNewPrivs"] == "1",
        "no_new_processes": status["Seccomp"] == "2"
        and _refused(_fork)
        and _refused(lambda: os.execv("/bin/true", ["true"])),
        "no_new_sockets": _refused(socket.socket),
        "memory_limited": _refused(lambda: bytearray(limits.memory + (64 << 20)), MemoryError),
        "files_limited": _refused(lambda: _fill(f"{SCRATCH}/one", limits.file + 1)),
    }
    found["scratch_limited"] = _refused(lambda: _fill_many(limits))
    found["scratch_writable"] = not _refused(lambda: _fill(f"{SCRATCH}/small", 1000))
    done = threading.Event()
    thread = threading.Thread(target=done.set)
    found["threads_work"] = not _refused(thread.start, RuntimeError) and done.wait(2)
    return found


def _refused(call: Callable[[], object], kind: type[Exception] = OSError) -> bool:
    try:
        call()
    except kind:
        return True
    return False


def _has_something(path: str) -> bool:
    return os.path.isfile(path) or (os.path.isdir(path) and bool(os.listdir(path)))


def _write(place: str, mode: str = "wb") -> None:
    path = os.path.join(place, ".bnlib-proof") if os.path.isdir(place) else place
    with open(path, mode):
        if mode == "wb":
            os.unlink(path)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _fill(path: str, size: int) -> None:
    """Write so many bytes, and take them away again."""
    try:
        with open(path, "wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(bytes(min(1 << 20, size - start)))
    finally:
        os.unlink(path)


def _fill_many(limits: Limits) -> None:
    paths = [f"{SCRATCH}/part{i}" for i in range(limits.scratch // limits.file + 2)]
    made = []
    try:
        for path in paths:
            made.append(path)
            with open(path, "wb") as file:
                file.write(bytes(limits.file))
    finally:
        for path in made:
            os.unlink(path)
