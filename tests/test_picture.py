"""read_picture: Fashion-MNIST's own images pixel for pixel, any other file as the data set's authors made theirs.

Every image is written by Pillow in the format named and read from the disk again.
"""

import os
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import bnlib
from bnlib.training import fashion_mnist
from bnlib.training.picture import read_image, read_picture

FORMATS = {  # ending -> options that lose nothing, or as little as the format allows
    "png": {},
    "webp": {"lossless": True},
    "bmp": {},
    "gif": {},
    "tif": {"compression": "tiff_deflate"},
    "pgm": {},
    "jpg": {"quality": 95},
    "avif": {"quality": 95},
}
EXACT = ("png", "webp", "bmp", "gif", "tif", "pgm")


@pytest.fixture(scope="module")
def images():
    return fashion_mnist(subset=True).test_images[:40]


@pytest.fixture
def chinese():
    bnlib.set_language("zh")
    yield
    bnlib.set_language("en")


def bytes_of(image: torch.Tensor) -> np.ndarray:
    return (image.squeeze() * 255).round().byte().numpy()


def boot(width: int = 400, height: int = 300, ground="white", garment=(60, 30, 20)) -> Image.Image:
    """A shape with an upright shaft on the left and a toe on the right, off the centre of its picture."""
    picture = Image.new("RGB", (width, height), ground)
    left, top, unit = 0.5 * width, 0.1 * height, 0.3 * min(width, height)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, left + 0.5 * unit, top + unit), fill=garment)
    draw.rectangle((left, top + 0.6 * unit, left + unit, top + unit), fill=garment)
    return picture


def expected_boot() -> torch.Tensor:
    """Where it should be light: over all 28 rows and columns."""
    shape = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    shape[..., :14] = True
    shape[..., 17:, :] = True
    return shape


def is_the_boot(image: torch.Tensor) -> bool:
    """Light where it should be and dark elsewhere, but for one row or column in between."""
    return ((image > 0.5) != expected_boot()).sum() <= 28


@pytest.mark.parametrize("ending", EXACT)
def test_an_image_of_the_data_set_comes_back_pixel_for_pixel(ending, images, tmp_path):
    path = tmp_path / f"image.{ending}"
    for image in images:
        Image.fromarray(bytes_of(image)).save(path, **FORMATS[ending])
        assert torch.equal(read_image(path), image[None])
    picture = read_picture(path)
    assert picture.kept and not picture.inverted and picture.image.dtype == torch.float32


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_so_it_does_whatever_the_mode(mode, images, tmp_path):
    for image in images[:5]:
        picture = Image.fromarray(bytes_of(image))
        if mode == "I;16":
            picture = Image.fromarray(bytes_of(image).astype(np.uint16) * 257)
        picture.convert(mode).save(tmp_path / "image.png")
        assert torch.equal(read_image(tmp_path / "image.png"), image[None])


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("ground", ["white", "#fdfdfd", "#c8d0c8", "black", "#303030"])
def test_a_garment_stands_light_on_black_whatever_format_and_ground(ending, ground, tmp_path):
    light = ground not in ("black", "#303030")
    colour = (60, 30, 20) if light else (200, 220, 180)
    picture = boot(ground=ground, garment=colour)
    picture = picture.convert("L") if ending == "pgm" else picture
    picture.save(tmp_path / f"boot.{ending}", **FORMATS[ending])
    read = read_picture(tmp_path / f"boot.{ending}")
    assert is_the_boot(read.image)
    assert (read.width, read.height, read.inverted, read.kept) == (400, 300, light, False)
    assert read.image.max() >= 254 / 255 and read.image.min() == 0  # as every image of the data set


@pytest.mark.parametrize("size", [(100, 100), (3000, 90), (90, 3000), (4000, 3000), (333, 777)])
def test_any_size_and_shape(size, tmp_path):
    boot(*size).save(tmp_path / "boot.png")
    assert is_the_boot(read_image(tmp_path / "boot.png"))


def test_a_long_garment_is_centred(tmp_path):
    picture = Image.new("RGB", (300, 500), "white")
    ImageDraw.Draw(picture).rectangle((10, 20, 109, 419), fill="navy")  # 100 x 400: 7 of 28 columns
    picture.save(tmp_path / "trousers.png")
    image = read_image(tmp_path / "trousers.png")[0, 0]
    assert (image.amax(0) > 0.5).nonzero().flatten().tolist() == list(range(10, 17))
    assert (image.amax(1) > 0.5).all()


def test_a_camera_s_noise_does_not_hide_the_border(tmp_path):
    noise = np.random.default_rng(0).normal(0, 8, (1200, 1600, 3))
    noisy = (np.asarray(boot(1600, 1200, "#e6e6e6")) + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "photo.jpg", quality=80)
    assert is_the_boot(read_image(tmp_path / "photo.jpg"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_is_turned_back(orientation, tmp_path):
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = boot()
    for turn in turns.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    read = read_picture(tmp_path / "photo.jpg")
    assert (read.width, read.height) == (400, 300) and is_the_boot(read.image)


@pytest.mark.parametrize("ending", ["png", "webp", "tif", "gif"])
def test_what_is_transparent_is_ground(ending, tmp_path):
    cut = boot(ground="black").convert("RGBA")
    cut.putalpha(Image.fromarray(((np.asarray(cut)[..., 0] > 0) * 255).astype(np.uint8)))
    cut.save(tmp_path / f"boot.{ending}")
    read = read_picture(tmp_path / f"boot.{ending}")
    assert read.inverted and is_the_boot(read.image)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "I", "F", "I;16B", "LA"])
def test_every_mode(mode, tmp_path):
    gray = boot().convert("L")
    if mode == "I;16B":
        picture = Image.frombytes(mode, gray.size, (np.asarray(gray).astype(">u2") * 257).tobytes())
    else:
        picture = gray.convert(mode, dither=Image.Dither.NONE)
    picture.save(tmp_path / "boot.tif")
    assert is_the_boot(read_image(tmp_path / "boot.tif"))


def test_floats_that_know_no_white(tmp_path):
    Image.fromarray(np.asarray(boot().convert("L"), dtype=np.float32) / 255e3).save(tmp_path / "boot.tif")
    assert is_the_boot(read_image(tmp_path / "boot.tif"))


def test_the_first_frame_of_several(tmp_path):
    boot().save(tmp_path / "boot.gif", save_all=True, append_images=[Image.new("RGB", (400, 300), "red")])
    assert is_the_boot(read_image(tmp_path / "boot.gif"))


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("empty.png", b"", "empty.png is no image; expected PNG, JPEG, WebP, "),
    ("text.png", b"not an image\n" * 50, "text.png is no image; "),
    ("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "page.eps is no image; "),
    ("cut.png", "cut", "cut.png is damaged or of a rare kind (OSError: "),
    ("blank.png", "blank", "blank.png shows one color only; "),
    ("dot.png", "dot", "dot.png shows one color only; "),
    ("bomb.png", "bomb", "bomb.png is too large; expected at most 89,478,485 pixels."),
    ("large.png", "large", "large.png is too large; expected at most 89,478,485 pixels."),
])  # fmt: skip
def test_what_shows_no_garment_is_refused_in_a_sentence(name, content, sentence, tmp_path):
    path = tmp_path / name
    boot().save(path, "PNG")
    if content == "cut":
        path.write_bytes(path.read_bytes()[:300])
    elif content in ("blank", "dot"):
        Image.new("RGB", (50, 40) if content == "blank" else (1, 1), "teal").save(path)
    elif content in ("bomb", "large"):
        path.write_bytes(zeros_png(*(20_000, 20_000) if content == "bomb" else (10_000, 9_000)))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        read_image(path)
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def zeros_png(width: int, height: int) -> bytes:
    """The head of a PNG that announces this many pixels: some tens of bytes on the disk."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(width))), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_what_cannot_be_read_is_the_systems_error_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError) as refusal:
        read_image(tmp_path / "shoe.jpg")
    assert str(refusal.value) == f"There is no file {tmp_path}/shoe.jpg; expected an image file, such as shoe.jpg."
    with pytest.raises(IsADirectoryError, match="can't be read"):
        read_image(tmp_path)
    if os.geteuid():  # the superuser may read everything
        (tmp_path / "locked.png").touch(mode=0)
        with pytest.raises(PermissionError, match="can't be read"):
            read_image(tmp_path / "locked.png")


def test_words(images, tmp_path):
    lines = []
    for name, picture in (("a.png", Image.fromarray(bytes_of(images[0]))), ("b.png", boot())):
        picture.save(tmp_path / name)
        lines.append(str(read_picture(tmp_path / name)))
    boot(ground="black", garment="white").save(tmp_path / "c.png")
    lines.append(str(read_picture(tmp_path / "c.png")))
    assert [line.removeprefix(f"{tmp_path}/") for line in lines] == [
        "a.png: 28 × 28 gray, used as it is",
        "b.png: 400 × 300, light background, so inverted",
        "c.png: 400 × 300, dark background, not inverted",
    ]


def test_words_in_chinese(chinese, tmp_path):
    boot().save(tmp_path / "b.png")
    assert str(read_picture(tmp_path / "b.png")) == f"{tmp_path}/b.png：400×300，背景浅，已反相"
    with pytest.raises(FileNotFoundError, match="^找不到文件.*；应为一个图像文件，例如shoe.jpg。$"):
        read_image(tmp_path / "shoe.jpg")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["png", "webp", "bmp", "gif", "tif", "jpg"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0.5, 1),
)
def test_a_damaged_file_is_an_image_or_a_refusal_and_nothing_else(tmp_path, ending, damages, part):
    path = tmp_path / f"boot.{ending}"
    boot(40, 30).save(path)
    content = bytearray(path.read_bytes()[: int(part * path.stat().st_size)])
    for place, value in damages:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    try:
        image = read_image(path)
    except ValueError as refusal:
        assert str(path) in str(refusal)
    else:
        assert image.shape == (1, 1, 28, 28) and 0 <= image.min() <= image.max() <= 1
