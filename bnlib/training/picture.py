"""Any image file as a picture of Fashion-MNIST: 28 x 28, gray, the garment light on black.

The steps are those of the data set's authors, in their order: Xiao, Rasul & Vollgraf (2017), section 2,
https://arxiv.org/abs/1708.07747. They began with thumbnails of 51 x 73 pixels on a ground of #fdfdfd; other
people's pictures have any size and any ground, so the ground is measured and a thumbnail made where need be.
"""

import math
import warnings
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter, ImageOps, UnidentifiedImageError
from torch import Tensor

from bnlib.language import message

SIZE = 28
THUMBNAIL = 73  # longest edge of the authors' thumbnails
TRIMMING = 4 * THUMBNAIL  # longest edge while the border is looked for: averages a camera's noise away
CLOSE = 0.05  # to the ground, as a part of the largest distance in RGB
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS: reading it starts Ghostscript


@dataclass(frozen=True, eq=False)
class Picture:
    """What was read from an image file; printed, it says in one line how the file was understood.

    image: (1, 1, 28, 28) float32 in [0, 1].
    width, height: of the file, in pixels, as a viewer shows it.
    inverted: whether its ground is light, so that light and dark were exchanged.
    kept: whether it was 28 x 28 and gray already and is used as it is, pixel for pixel.
    """

    path: str
    width: int
    height: int
    inverted: bool
    kept: bool
    image: Tensor

    def __str__(self) -> str:
        way = "kept" if self.kept else "inverted" if self.inverted else "dark"
        return message(f"picture.{way}", path=self.path, width=self.width, height=self.height)


def read_image(path: str | PathLike) -> Tensor:
    """The image of `read_picture`, (1, 1, 28, 28) float32 in [0, 1], for a model that was trained on Fashion-MNIST."""
    return read_picture(path).image


def read_picture(path: str | PathLike) -> Picture:
    """Read an image file and turn it into what Fashion-MNIST looks like.

    A gray image of 28 x 28 stays as it is. Of any other the first frame is taken, upright, and transparency is laid
    on white. The median of its border is its ground: what is close to it is trimmed, the rest shrunk, sharpened,
    centred, and measured by its distance from the ground, which inverts pictures on a light ground and no others.

    Args:
        path: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or PPM, whatever its name ends in.

    Raises:
        OSError: the file is missing or can't be read.
        ValueError: it holds no image, a damaged one, one colour only, or more pixels than
            PIL.Image.MAX_IMAGE_PIXELS, as files do that are made to fill the memory.

    Source: Xiao, Rasul & Vollgraf (2017), section 2, https://arxiv.org/abs/1708.07747.
    """
    path = str(Path(path))
    try:
        file = open(path, "rb")
    except OSError as error:  # in a sentence of its own, so that main and a notebook print the same
        key = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
        raise type(error)(message(f"picture.{key}", path=path, reason=error.strerror)) from error
    with file:
        shown = _decode(file, path)
    width, height = shown.size
    colours = _on_white(shown)
    if colours.size == (SIZE, SIZE) and _is_gray(colours):
        return Picture(path, width, height, False, True, _tensor(colours.getchannel(0)))
    ground = _ground(_small(colours))
    garment = _trimmed(colours, ground)
    if garment is None:
        raise ValueError(message("picture.blank", path=path))
    return Picture(path, width, height, sum(ground) > 3 * 127, False, _tensor(_as_authors(garment, ground)))


def _decode(file, path: str) -> Image.Image:
    """The first frame, upright, in the file's own mode or in 8 bits a channel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # about damaged metadata; damaged pixels raise
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            upright = ImageOps.exif_transpose(Image.open(file, formats=FORMATS))
            return _eight_bits(upright)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        largest = Image.MAX_IMAGE_PIXELS
        raise ValueError(message("picture.too_large", path=path, largest=largest)) from error
    except UnidentifiedImageError as error:
        raise ValueError(message("picture.no_image", path=path)) from error
    except Exception as error:  # Pillow's readers raise a dozen types, SyntaxError among them, on damaged files
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(message("picture.damaged", path=path, reason=reason)) from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Gray of 16 bits divided by 257; of 32 bits or floats, where no number means white, stretched to its range."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray(np.round(np.asarray(picture) / 257).astype(np.uint8))
    if picture.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
        span = values.max() - values.min()
        return Image.fromarray(np.round((values - values.min()) / (span or 1) * 255).astype(np.uint8))
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB without transparency."""
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _small(colours: Image.Image) -> Image.Image:
    small = colours.copy()
    small.thumbnail((TRIMMING, TRIMMING))
    return small


def _is_gray(colours: Image.Image) -> bool:
    red, green, blue = colours.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


def _ground(colours: Image.Image) -> tuple[int, ...]:
    """The median colour along the border; the authors ask the corners, which one garment at a corner misleads."""
    pixels = np.asarray(colours)  # (H, W, 3)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(value) for value in np.median(border, axis=0))


def _trimmed(colours: Image.Image, ground: tuple[int, ...]) -> Image.Image | None:
    """The authors' step 2, without what is close to the ground on all sides; None where everything is.

    Looked for in a small copy, and again in what that leaves: a garment small in its picture keeps its detail.
    """
    garment = None
    for _ in range(8):
        small = _small(colours)
        distance = np.linalg.norm(np.asarray(small) - np.array(ground, dtype=float), axis=2)  # (H, W)
        box = Image.fromarray(distance > CLOSE * 255 * math.sqrt(3)).getbbox()
        if box is None:
            break
        across, down = colours.width / small.width, colours.height / small.height
        left, top, right, bottom = box
        garment = colours.crop(
            (math.floor(left * across), math.floor(top * down), math.ceil(right * across), math.ceil(bottom * down))
        )
        if garment.size == colours.size:
            break
        colours = garment
    return garment


def _as_authors(garment: Image.Image, ground: tuple[int, ...]) -> Image.Image:
    """Steps 3 to 7, from a trimmed picture to 8 bits of gray."""
    garment.thumbnail((THUMBNAIL, THUMBNAIL))  # `garment` is a crop of our own
    longest = max(garment.size)
    width, height = (max(1, round(edge * SIZE / longest)) for edge in garment.size)
    skipping = Image.Resampling.NEAREST if longest >= SIZE else Image.Resampling.BICUBIC  # or enlarging
    garment = garment.resize((width, height), skipping)  # step 3
    # step 4; they don't say how strongly
    garment = garment.filter(ImageFilter.UnsharpMask(radius=1, percent=50, threshold=0))
    canvas = Image.new("RGB", (SIZE, SIZE), ground)
    canvas.paste(garment, ((SIZE - width) // 2, (SIZE - height) // 2))  # step 5
    # step 6: on their ground of #fdfdfd the distance is the negative; step 7: gray
    gray = np.asarray(ImageChops.difference(canvas, Image.new("RGB", canvas.size, ground)).convert("L"))
    # not among the seven, but every image of the data set reaches 254 or 255
    return Image.fromarray(np.round(gray * (255 / max(1, gray.max()))).astype(np.uint8))


def _tensor(gray: Image.Image) -> Tensor:
    """As `fashion_mnist` makes it of its bytes, to the last bit."""
    return torch.from_numpy(np.array(gray)).view(1, 1, SIZE, SIZE).float().div_(255)
