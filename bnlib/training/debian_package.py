"""The data set out of Debian's archive: the package is downloaded and unpacked, never installed; needs no
root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bnlib.language import message

PACKAGE = "dataset-fashion-mnist"
PATIENCE = 300.0  # seconds for one command; the package has 30 MB


class PackageFailed(Exception):
    """apt-get or dpkg could not bring the package; the text says why."""


@contextmanager
def unpacked_package(timeout: float) -> Iterator[Path]:
    """A temporary folder with the package's files; gone after the with block.

    Args:
        timeout: seconds of silence after which a server of the archive counts as hanging.

    Raises:
        PackageFailed: no apt-get here, or the package can't be fetched.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise PackageFailed(message("data.no_apt"))
    with TemporaryDirectory(prefix="bnlib-") as name:
        folder = Path(name)
        _download(folder, timeout)
        [package] = folder.glob(f"{PACKAGE}_*.deb")
        _run(["dpkg", "-x", str(package), str(folder / "unpacked")], folder)
        yield folder / "unpacked" / "usr" / "share" / "datasets" / "fashion-mnist"


def _download(folder: Path, timeout: float) -> None:
    patience = [f"-oAcquire::{way}::Timeout={timeout:g}" for way in ("http", "https")]
    fetch = ["apt-get", "-q", *patience, "download", PACKAGE]
    try:
        _run(fetch, folder)
    except PackageFailed as error:
        if not any(sign in str(error) for sign in ("Unable to locate package", "find a source")):
            raise
        # a fresh machine has no package lists, and only root may fetch the system's: have lists of our own
        (folder / "state" / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        own = [f"-oDir::State::lists={folder / 'state' / 'lists'}", f"-oDir::Cache={folder / 'cache'}"]
        _run(["apt-get", "-q", *own, *patience, "update"], folder)
        _run([fetch[0], *own, *fetch[1:]], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise PackageFailed(message("data.timed_out", seconds=PATIENCE)) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise PackageFailed(next((line for line in lines if line.startswith("E:")), lines[-1])) from None
