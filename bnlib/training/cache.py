"""The cache folder: where it lies, written atomically, with one fetching process at a time.

Nothing here is ever trusted: whoever reads a file of the cache verifies it. So a cache that can't be written
or locked costs time (a second download), never correctness.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bnlib.language import message

try:
    import fcntl
except ImportError:  # Windows: no lock, so every process fetches for itself
    fcntl = None


def cache_folder() -> Path | None:
    """The folder for Fashion-MNIST below this platform's cache folder; None where there is no home."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    try:
        if os.path.isabs(chosen):  # the XDG specification: a relative path is to be ignored
            root = Path(chosen)
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches"
        elif sys.platform == "win32":
            root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            root = Path.home() / ".cache"
    except RuntimeError:  # no home folder can be determined
        return None
    return root / "bnlib" / "fashion-mnist"


def store(folder: Path, name: str, content: bytes) -> None:
    """Write a file whole or not at all: under a name of its own first, then renamed.

    Raises:
        OSError: the folder can't be made or written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, folder / name)
    except BaseException:  # also when interrupted: leave no litter
        os.unlink(temporary)
        raise


@contextmanager
def alone(folder: Path | None, patience: float, report: Callable[[str], None]) -> Iterator[bool]:
    """Hold the folder's lock while fetching; the system frees it even when the process is killed.

    Args:
        folder: the cache folder.
        patience: seconds to wait for another process before fetching beside it.
        report: is told, once, that we wait.

    Yields:
        Whether this process holds the lock; where it does not, it must write under names of its own only.
    """
    try:
        if folder is None or fcntl is None:
            raise OSError("nothing to lock")
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "fetch.lock", "ab")
    except OSError:
        yield False
        return
    with lock:
        yield _acquire(lock.fileno(), folder, patience, report)


def _acquire(handle: int, folder: Path, patience: float, report: Callable[[str], None]) -> bool:
    deadline, told = time.monotonic() + patience, False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:  # somebody else is fetching
            if time.monotonic() > deadline:
                return False
        except OSError:  # a file system without locks
            return False
        if not told:
            report(message("data.waiting", folder=folder))
            told = True
        time.sleep(0.1)


class Part:
    """What has arrived of a download, kept on disk for the next attempt as far as the disk allows it.

    A failure to keep it is no failure of the download: errors of the disk end the keeping and nothing else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> bytes:
        """What an earlier attempt left."""
        try:
            return self._path.read_bytes() if self._path else b""
        except OSError:
            return b""

    def write(self, chunk: bytes, *, restart: bool) -> None:
        """Append, or begin anew."""
        if self._path:
            try:
                with open(self._path, "wb" if restart else "ab") as file:
                    file.write(chunk)
            except OSError:  # a gap would make what follows worthless
                self.remove()

    def remove(self) -> None:
        """Delete it and keep nothing more."""
        if self._path:
            try:
                self._path.unlink(missing_ok=True)
            except OSError:
                pass  # what stays is verified before it is used, like everything in the cache
            self._path = None
