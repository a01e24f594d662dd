"""The four files of Fashion-MNIST: names, shapes and digests, and how their bytes are verified and read.

An idx file is a header of big-endian integers (a magic number, then one size per axis) followed by unsigned
bytes. The files travel compressed, and different distributors compress them differently, so what is verified
is the SHA-256 of the decompressed bytes.
"""

import gzip
import hashlib
import io
import math
import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from bnlib.language import message

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class IdxFile:
    """One file: its name without .gz, the shape of its array, the SHA-256 of its bytes once decompressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def header(self) -> int:
        """Bytes before the first value."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes in all, decompressed."""
        return self.header + math.prod(self.shape)


TRAIN_IMAGES = IdxFile(
    "train-images-idx3-ubyte",
    (60_000, 28, 28),
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
)
TRAIN_LABELS = IdxFile(
    "train-labels-idx1-ubyte", (60_000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
)
TEST_IMAGES = IdxFile(
    "t10k-images-idx3-ubyte",
    (10_000, 28, 28),
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
)
TEST_LABELS = IdxFile(
    "t10k-labels-idx1-ubyte", (10_000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
)
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True, eq=False)
class Arrays:
    """The images as they are stored: (N, 28, 28) and (N,), unsigned bytes, and the name of the data set."""

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class CorruptFile(ValueError):
    """Bytes that are not the file they should be; the sentence names the place and says what is wrong."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(message("data.refused", place=place, reason=reason))


def unpack(packed: bytes, file: IdxFile, place: str) -> bytes:
    """Decompress (where compressed) and verify the bytes of `file`.

    Args:
        packed: the bytes as found, gzip or plain.
        place: where they were found, for the sentence of an error.

    Raises:
        CorruptFile: cut short, not gzip, or of another digest.
    """
    raw = _decompress(packed, file, place) if packed[:2] == _GZIP_MAGIC else packed
    if len(raw) < file.size:
        raise CorruptFile(place, message("data.cut_short", got=len(raw), expected=file.size))
    found = hashlib.sha256(raw).hexdigest()
    if found != file.sha256:
        raise CorruptFile(place, message("data.wrong_digest", got=found[:12], expected=file.sha256[:12]))
    return raw


def _decompress(packed: bytes, file: IdxFile, place: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            return stream.read(file.size + 1)  # never more, whatever the file claims to hold
    except EOFError:
        raise CorruptFile(place, message("data.cut_off")) from None
    except (OSError, zlib.error) as error:
        raise CorruptFile(place, message("data.damaged", error=error)) from None


def array(raw: bytes, file: IdxFile) -> Tensor:
    """The values of a verified file, a uint8 tensor of shape `file.shape`."""
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=file.header).view(file.shape)
