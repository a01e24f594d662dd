"""The walls around a worker: bubblewrap where it works, else namespaces of our own; tried out before they are trusted.

There is no third way: where neither holds, nothing of a stranger's is run.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bnlib.language import message
from bnlib.learn.grading import namespaces
from bnlib.learn.grading.channel import Channel, Lost, NotIsolated
from bnlib.learn.grading.confine import Limits
from bnlib.learn.grading.proof import REQUIRED
from bnlib.learn.grading.view import DEVICES, SCRATCH, View, view

_START = 120.0  # seconds until Python, torch and bnlib are imported
_PLACES = ("/", "/usr", "/etc", "/tmp", "/dev", "/var/tmp")


@dataclass(frozen=True)
class Sandbox:
    """A way to run workers that was proven here. way: "bubblewrap" or "namespaces"."""

    way: str
    limits: Limits
    _view: View
    _root: str

    def start(self) -> Channel:
        """A worker that is ready for a notebook.

        Raises:
            NotIsolated: it did not start.
        """
        channel = self._run()
        try:
            ready = channel.listen(_START)
        except Lost as lost:
            raise NotIsolated(message("grade.not_started", reason=lost.said or lost.why)) from lost
        if ready != {"ready": True}:
            channel.close()
            raise NotIsolated(message("grade.not_started", reason=ready))
        return channel

    def _run(self, *words: str) -> Channel:
        worker = [
            self._view.python,
            "-P",
            "-s",
            "-B",
            "-m",
            "bnlib.learn.grading.worker",
            json.dumps(asdict(self.limits)),
        ]
        command = [*WAYS[self.way](self), *worker, *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", env=self.environment, start_new_session=True
        )
        return Channel(process)

    @property
    def environment(self) -> dict[str, str]:
        """All that a worker learns from its environment."""
        one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        scratch = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR"), SCRATCH)
        python = {"PYTHONPATH": self._view.path, "PYTHONUTF8": "1", "MPLBACKEND": "Agg", "MALLOC_ARENA_MAX": "2"}
        return {**one, **scratch, **python, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "learner"}


def _bubblewrap(sandbox: Sandbox) -> list[str]:
    shown = [word for place in sandbox._view.shown for word in ("--ro-bind", place, place)]
    links = [word for place, target in sandbox._view.links for word in ("--symlink", target, place)]
    devices = [word for name in DEVICES for word in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")]
    hidden = [word for place in sandbox._view.hidden for word in ("--tmpfs", place, "--remount-ro", place)]
    inside = str(namespaces.INSIDE)
    apart = ["--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    who = ["--uid", inside, "--gid", inside, "--hostname", "worker", "--chdir", SCRATCH]
    scratch = ["--perms", "0700", "--size", str(sandbox.limits.scratch), "--tmpfs", SCRATCH]
    own = ["--proc", "/proc", "--remount-ro", "/proc", *scratch, "--remount-ro", "/"]
    return [shutil.which("bwrap") or "bwrap", *apart, *who, *shown, *links, *devices, *hidden, *own, "--"]


def _namespaces(sandbox: Sandbox) -> list[str]:
    plan = {
        "root": sandbox._root,
        "shown": sandbox._view.shown,
        "links": sandbox._view.links,
        "hidden": sandbox._view.hidden,
        "devices": DEVICES,
        "scratch": SCRATCH,
        "scratch_bytes": sandbox.limits.scratch,
    }
    return [sandbox._view.python, "-I", "-S", "-B", namespaces.__file__, json.dumps(plan)]


WAYS: dict[str, Callable[[Sandbox], list[str]]] = {"bubblewrap": _bubblewrap, "namespaces": _namespaces}


@contextlib.contextmanager
def sandboxed(limits: Limits, hidden: tuple[Path, ...] = (), ways: tuple[str, ...] = ()) -> Iterator[Sandbox]:
    """The first way to run workers that holds on this machine.

    Args:
        limits: of each worker.
        hidden: folders of which workers may see nothing.
        ways: to be tried, in this order; without them all.

    Raises:
        NotIsolated: none holds.
    """
    if sys.platform != "linux":
        raise NotIsolated(message("grade.not_linux", system=sys.platform))
    failures = []
    with tempfile.TemporaryDirectory(prefix="bnlib-") as root:
        for way in ways or WAYS:
            sandbox = Sandbox(way, limits, view(hidden), root)
            failure = prove(sandbox, hidden)
            if not failure:
                yield sandbox
                return
            failures.append(f"{way}: {failure}")
    raise NotIsolated(message("grade.not_isolated", reasons="; ".join(failures)))


def prove(sandbox: Sandbox, hidden: tuple[Path, ...] = ()) -> str:
    """Pull at each lock of a sandbox from within, and look from outside; returns what does not hold, else nothing."""
    if sandbox.way == "bubblewrap" and shutil.which("bwrap") is None:
        return message("grade.no_bubblewrap")
    with tempfile.TemporaryDirectory(prefix="bnlib-proof-") as folder, _listeners() as (by_port, by_name):
        canary = Path(folder, "canary")
        canary.write_text("unharmed", encoding="ascii")
        places = [
            *_PLACES,
            *map(str, hidden),
            folder,
            str(Path.home()),
            sys.prefix,
            str(Path(__file__).parent),
            "/proc",
        ]
        target = {
            "port": by_port.getsockname()[1],
            "address": by_name.getsockname()[1:].decode(),
            "canary": str(canary),
            "process": os.getpid(),
            "places": places,
            "hidden": [str(folder) for folder in hidden],
            "environment": list(sandbox.environment),
        }
        try:
            channel = sandbox._run(json.dumps(target))
            found = channel.listen(_START).get("found")
        except (Lost, OSError) as error:
            return (error.said or error.why) if isinstance(error, Lost) else str(error)
        channel.close()
        broken = [name for name in REQUIRED if not isinstance(found, dict) or found.get(name) is not True]
        reached = [listener for listener in (by_port, by_name) if _was_reached(listener)]
        written = [place for place in places if Path(place, ".bnlib-proof").exists()]
        if reached or written or canary.read_text(encoding="ascii") != "unharmed":
            broken.append("outside")
    return ", ".join(message(f"grade.{name}") for name in broken)


@contextlib.contextmanager
def _listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two servers on this machine that no worker may reach: one on a port, one on a local name."""
    with socket.socket(socket.AF_INET) as by_port, socket.socket(socket.AF_UNIX) as by_name:
        by_port.bind(("127.0.0.1", 0))
        by_name.bind("\0bnlib-proof-" + os.urandom(8).hex())
        for listener in (by_port, by_name):
            listener.listen(1)
            listener.setblocking(False)
        yield by_port, by_name


def _was_reached(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
