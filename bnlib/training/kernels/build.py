"""Compile stage.cpp for both stages, once on a machine, and load what came out."""

import ctypes
import os
import shlex
import shutil
import subprocess
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from bnlib.training.cache import cache_folder, store

SOURCE = Path(__file__).with_name("stage.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared")  # no -ffast-math: a NaN must stay one
SHAPES = ((1, 6, 24), (6, 16, 8))  # of each stage: channels in and out, rows of the convolution's output
_PROCESS = os.getpid()


class BuildError(RuntimeError):
    """The loops can't be had here; `key` and `fields` are the message that says why."""

    def __init__(self, key: str, **fields: str) -> None:
        super().__init__(key, fields)
        self.key, self.fields = key, fields


@cache
def libraries() -> tuple[ctypes.CDLL, ctypes.CDLL] | BuildError:
    """Both stages, loaded; or why not, which is remembered too, so that nobody tries again at each step."""
    try:
        compiler = _compiler()
        # the predefined macros tell the compiler's version and what this CPU can do: a home folder may serve many CPUs
        macros = _output([*compiler, *FLAGS, "-dM", "-E", "-x", "c++", os.devnull])
        return tuple(_load(compiler, macros, shape) for shape in SHAPES)
    except BuildError as error:
        return error
    except OSError as error:  # no temporary folder, a full disk, or a file that can't be loaded
        return BuildError("kernels.system", error=str(error))


@cache
def parallel() -> ctypes.c_void_p | None:
    """GOMP_parallel of the OpenMP runtime that torch itself is linked to, never of a second one; None without."""
    try:
        return ctypes.cast(ctypes.CDLL(torch._C.__file__).GOMP_parallel, ctypes.c_void_p)
    except (AttributeError, OSError):
        return None


def threads() -> int:
    """torch.get_num_threads(); 1 in a forked process, where the threads of its parent's OpenMP don't exist."""
    return torch.get_num_threads() if parallel() and os.getpid() == _PROCESS else 1


def _compiler() -> list[str]:
    chosen = shlex.split(os.environ.get("CXX", ""))
    found = [chosen] if chosen else [[name] for name in ("c++", "g++", "clang++")]
    for command in found:
        if shutil.which(command[0]):
            return command
    raise BuildError("kernels.no_compiler", tried=", ".join(command[0] for command in found))


def _load(compiler: list[str], macros: bytes, shape: tuple[int, int, int]) -> ctypes.CDLL:
    command = [*compiler, *FLAGS, *(f"-D{name}={value}" for name, value in zip(("CI", "CO", "H"), shape, strict=True))]
    name = sha256(repr((SOURCE.read_bytes(), command, macros)).encode()).hexdigest()[:32] + ".so"
    path = (cache_folder() or Path(os.devnull)).with_name("kernels") / name
    with TemporaryDirectory(prefix="bnlib-") as folder:
        if not _is_whole(path):
            built = Path(folder) / name
            _output([*command, str(SOURCE), "-o", str(built)])
            content = built.read_bytes()
            try:
                store(path.parent, name, content + sha256(content).digest())
            except OSError:  # a cache that can't be written costs a second in each process
                path = built
        return ctypes.CDLL(str(path))


def _is_whole(path: Path) -> bool:
    """Whether the file is there and ends with the SHA-256 of all that precedes it; a loader ignores such an end."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return content[-32:] == sha256(content[:-32]).digest()


def _output(command: list[str]) -> bytes:
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
    except subprocess.SubprocessError as error:  # its own last line says most, else: status, or time
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines() or [str(error)]
        raise BuildError("kernels.failed", command=command[0], error=said[-1]) from None
