"""Where Fashion-MNIST is looked for, in which order, and what is said about places that hold something else.

A file counts only once its digest is right, so it does not matter whom it came from: every place is asked for
what is still missing, and the four files may come from four places.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

from bnlib.language import message
from bnlib.training import cache
from bnlib.training.debian_package import PackageFailed, unpacked_package
from bnlib.training.download import MirrorFailed, download
from bnlib.training.idx import FILES, CorruptFile, IdxFile, unpack

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = (
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # for a Python without certificates
)
LAYOUTS = ("", "fashion-mnist", "FashionMNIST/raw")  # ours and the original's; Debian's; torchvision's


@dataclass(frozen=True)
class Sources:
    """The places, asked in this order; None, () and False leave one out.

    user: the folder that $BNLIB_DATA names; only read.
    cache: ours to write; None where there is no home folder.
    installed: where Debian's package puts the files.
    mirrors: addresses that end where the file name begins.
    apt: whether Debian's archive may be asked.
    timeout: seconds of silence after which a server counts as hanging.
    patience: seconds to wait for another process that is fetching.
    """

    user: Path | None = None
    cache: Path | None = None
    installed: Path | None = DEBIAN_FOLDER
    mirrors: tuple[str, ...] = MIRRORS
    apt: bool = True
    timeout: float = 10.0
    patience: float = 600.0


def default_sources() -> Sources:
    """The places of this machine and user."""
    chosen = os.environ.get("BNLIB_DATA")
    return Sources(user=Path(chosen).expanduser() if chosen else None, cache=cache.cache_folder())


@dataclass(frozen=True)
class Found:
    """A verified file: its bytes as found, its bytes decompressed, and the folder or address it came from."""

    packed: bytes
    raw: bytes
    origin: str


class DataUnavailableError(RuntimeError):
    """No source has the full data set."""


def find(sources: Sources, report: Callable[[str], None]) -> dict[IdxFile, Found]:
    """All four files, verified.

    Args:
        report: is told, a sentence at a time, which places were refused and what else the user should know.

    Raises:
        DataUnavailableError: something is still missing after the last place.
    """
    search = _Search(sources, report)
    search.folder(sources.user)
    search.tell_what_user_lacks()
    search.folder(sources.cache)
    search.folder(sources.installed)
    if search.missing and (sources.mirrors or sources.apt):
        with cache.alone(sources.cache, sources.patience, report) as locked:
            search.fetch(locked)
    search.renew_cache()
    if search.missing:
        raise DataUnavailableError(message("data.unavailable", details=search.what_failed()))
    return {file: search.found[file] for file in FILES}


class _Search:
    """One search: what was found, what failed, and which files of the cache are to be replaced."""

    def __init__(self, sources: Sources, report: Callable[[str], None]) -> None:
        self.sources, self.report = sources, report
        self.found: dict[IdxFile, Found] = {}
        self.failures: dict[str, list[str]] = {}  # by reason: a missing network is said once
        self._refused: set[Path] = set()
        self._cache_works = sources.cache is not None

    @property
    def missing(self) -> list[IdxFile]:
        return [file for file in FILES if file not in self.found]

    def folder(self, folder: Path | None) -> None:
        """Take what is missing from a folder, whichever of the usual layouts it has."""
        for file in self.missing if folder else ():
            names = [folder / layout / name for layout in LAYOUTS for name in (f"{file.name}.gz", file.name)]
            for path in names:
                if file not in self.found and path not in self._refused and os.path.isfile(path):
                    self._take(file, path)

    def _take(self, file: IdxFile, path: Path) -> None:
        try:
            packed = path.read_bytes()
            self.found[file] = Found(packed, unpack(packed, file, str(path)), str(path.parent))
            return
        except CorruptFile as error:
            self.report(str(error))
        except OSError as error:
            self.report(message("data.refused", place=path, reason=error.strerror))
        self._refused.add(path)

    def tell_what_user_lacks(self) -> None:
        """Who sets $BNLIB_DATA wants to know that it does not do."""
        lacking = message("data.between_names").join(f"{file.name}.gz" for file in self.missing)
        if self.sources.user and lacking:
            self.report(message("data.user_lacks", folder=self.sources.user, files=lacking))

    def fetch(self, locked: bool) -> None:
        """Ask the network; with the lock, first look whether the process we waited for has done it."""
        self.folder(self.sources.cache)
        for mirror in self.sources.mirrors:
            self._mirror(mirror, locked)
        if self.missing and self.sources.apt:
            self._debian_archive()
        if locked and not self.missing:
            for rest in self.sources.cache.glob("*.part"):  # of mirrors that failed half-way
                cache.Part(rest).remove()

    def _mirror(self, mirror: str, locked: bool) -> None:
        """Take what is missing from one mirror, up to its first failure."""
        for file in self.missing:
            url = f"{mirror.rstrip('/')}/{file.name}.gz"
            try:
                packed, raw = download(url, file, self._part(url, file, locked), self.sources.timeout)
            except CorruptFile as error:
                self.report(str(error))
                self._failed(message("data.wrong_content"), mirror)
                return
            except MirrorFailed as error:
                self._failed(str(error), mirror)
                return
            self._keep(file, Found(packed, raw, mirror))

    def _part(self, url: str, file: IdxFile, locked: bool) -> cache.Part:
        """Half a download belongs to its address: what continues it must be the same bytes."""
        name = f"{file.name}.{crc32(url.encode()):08x}.part"
        return cache.Part(self.sources.cache / name if locked else None)

    def _debian_archive(self) -> None:
        try:
            with unpacked_package(self.sources.timeout) as folder:
                lacking = self.missing
                self.folder(folder)
        except PackageFailed as error:
            self._failed(str(error), "apt-get")
            return
        for file in lacking:
            if file in self.found:
                found = self.found[file]
                self._keep(file, Found(found.packed, found.raw, message("data.debian_archive")))

    def _failed(self, reason: str, place: str) -> None:
        self.failures.setdefault(reason, []).append(urlsplit(place).hostname or place)

    def what_failed(self) -> str:
        """The network's failures in one clause, grouped by reason."""
        comma, semicolon = message("data.between_names"), message("data.between_failures")
        said = [
            message("data.failure", places=comma.join(places), reason=reason)
            for reason, places in self.failures.items()
        ]
        return semicolon.join(said) or message("data.nothing_tried")

    def _keep(self, file: IdxFile, found: Found) -> None:
        """Count a file as found and put it into the cache, if that can be written; say so once if not."""
        self.found[file] = found
        if not self._cache_works:
            return
        name = f"{file.name}.gz"
        try:
            cache.store(self.sources.cache, name, found.packed)
            self._refused.discard(self.sources.cache / name)
        except OSError as error:
            self._cache_works = False
            self.report(message("data.cache_unwritable", folder=self.sources.cache, reason=error.strerror))

    def renew_cache(self) -> None:
        """Replace the files of the cache that were refused, wherever their good copies came from."""
        for file, found in self.found.items():
            if self.sources.cache and self.sources.cache / f"{file.name}.gz" in self._refused:
                self._keep(file, found)
