"""What a worker may see of this machine, read-only: the system's libraries, this Python, bnlib, and nothing else."""

import os
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
FILES = ("/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("null", "zero", "full", "random", "urandom")
SCRATCH = "/scratch"


@dataclass(frozen=True)
class View:
    """The worker's file system.

    shown: places that stand there as here, read-only. links: (place, target) of symbolic links at the root.
    hidden: folders below `shown` that are empty there. python, path: the interpreter, and its PYTHONPATH.
    """

    shown: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    python: str
    path: str


def view(hidden: tuple[Path, ...] = ()) -> View:
    """The least that runs this Python with bnlib and torch.

    Args:
        hidden: folders of which a worker may see nothing, wherever they lie.
    """
    here = Path(__file__).resolve().parents[2]  # bnlib
    packages = _packages()
    links = tuple((place, os.readlink(place)) for place in SYSTEM if os.path.islink(place))
    linked = [place for place, _ in links]
    wanted = [*SYSTEM, *FILES, sys.prefix, sys.exec_prefix, sys.base_prefix, *packages, str(here), *_steps()]
    both = [path for place in wanted for path in (place, os.path.realpath(place))]
    shown = _outermost([path for path in both if _harmless(path) and path not in linked])
    kept_out = tuple(str(folder.resolve()) for folder in hidden)
    return View(
        shown=tuple(shown),
        links=links,
        hidden=tuple(folder for folder in kept_out if any(_below(folder, place) for place in shown)),
        python=sys.executable,
        path=os.pathsep.join([str(here.parent), *packages]),
    )


def _packages() -> list[str]:
    """The folders of installed packages that this process imports from; never the one it was started in."""
    known = {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}
    names = ("site-packages", "dist-packages")
    return [place for place in sys.path if place in known or os.path.basename(place) in names if os.path.isdir(place)]


def _steps() -> list[str]:
    """The files on the way from sys.executable, link by link, to the interpreter."""
    steps, at = [], sys.executable
    while os.path.islink(at) and len(steps) < 20:
        at = os.path.join(os.path.dirname(at), os.readlink(at))
        steps.append(os.path.normpath(at))
    return steps


def _harmless(path: str) -> bool:
    """Whether a place exists and is neither the root nor a home folder nor something that holds one."""
    home = os.path.realpath(os.path.expanduser("~"))
    return os.path.exists(path) and path != "/" and not _below(home, os.path.realpath(path))


def _outermost(paths: list[str]) -> list[str]:
    """Each place once, in order, without those that lie below another one."""
    once = sorted(set(paths))
    return [path for path in once if not any(path != other and _below(path, other) for other in once)]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
