"""Decoding: how one stored picture becomes the pixels of an image set.

EXIF orientation is applied. 16-bit grey is scaled to 8 bits. Transparent pixels are blended with
white, unless the set is RGBA; there, wholly transparent pixels become white. Grey is copied to the
three channels, unless the set is grey; there, colours become their luma (ITU-R 601). A picture gets
the proportions of the set by one of the ``FITS``, and is resized with Pillow's LANCZOS, which is
antialiased, or by the nearest pixel. Of an animation, only the first frame is used.

The package opens all pictures here. The format is recognised by content, never by the name of the
file. Only the ``FORMATS`` below are decoded. Pillow supports more, but some of these start other
programs (EPS, WMF), and some cannot be recognised by content (TGA, PCX).
"""

from __future__ import annotations

import functools
import io
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bascule.core.errors import UserError, unreadable
from bascule.core.reading import read_bytes
from bascule.core.shapes import MOST_OBLONG, Shape, square

FORMATS = (
    *("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000"),
    *("ICO", "PSD", "QOI", "SGI", "SUN", "DDS"),
)
FOREIGN = {  # the first bytes of other kinds of files, to name them in error lines
    b"%!PS": "PostScript, which only another program can draw",
    b"\xc5\xd0\xd3\xc6": "PostScript, which only another program can draw",
    b"%PDF": "a PDF; export its pictures first",
    b"PK\x03\x04": "an archive; import it by itself",
    b"\x1f\x8b": "an archive; unpack it first",
    b"7z\xbc\xaf": "an archive; unpack it first",
    b"Rar!": "an archive; unpack it first",
    b"<svg": "a drawing without pixels (SVG); export it as PNG first",
}
Fit = Literal["crop", "pad", "stretch"]
FITS: dict[Fit, str] = {
    "crop": "the largest centred part of the proportions of the set",
    "pad": "all of it, on a ground of the colour of its corners",
    "stretch": "all of it, with other proportions",
}
HEAD_BYTES = 32
SMALLEST_SIDE = 8
MOST_PIXELS = 50_000_000
MOST_OWN_BYTES = 200 * 2**20
_LANCZOS, _NEAREST = Image.Resampling.LANCZOS, Image.Resampling.NEAREST

# Pillow warns about files that are refused here with a reason, or are read without problems.
warnings.filterwarnings("ignore", module=r"PIL\.")


class NotAPicture(ValueError):
    """The content is in no format that is decoded here; the message says what it is."""


@dataclass(frozen=True)
class Preparation:
    """How a picture gets the shape of a set.

    size       the side of RGB squares, or a :class:`bascule.core.shapes.Shape`
    fit        one of the ``FITS``
    pixel_art  keep every colour: enlarged by a whole number with the nearest pixel and padded, or
               reduced to its nearest pixels; no new colour is mixed
    bits       of the numbers in files of 16 bits, 9 to 16: cameras and scanners store 10, 12 or 14
    """

    size: int | Shape
    fit: Fit = "crop"
    pixel_art: bool = False
    bits: int = 16

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise UserError(f"fit={self.fit!r}: expected {', '.join(FITS)}")
        if not 9 <= self.bits <= 16:
            raise UserError(f"bits={self.bits}: expected 9 to 16")

    @property
    def shape(self) -> Shape:
        return square(self.size) if isinstance(self.size, int) else self.size

    @property
    def said(self) -> str:
        """What differs from the default, except the shape, for digests; "" if nothing does."""
        changed = self != Preparation(self.size)
        return f"{self.fit} {self.pixel_art} {self.bits}" if changed else ""

    @property
    def facts(self) -> dict[str, str | int]:
        """What differs from the default, except the shape, by name; for ``about.json`` of a set."""
        if not self.said:
            return {}
        return {"fit": self.fit, "pixel_art": self.pixel_art, "bits": self.bits}

    def __str__(self) -> str:
        """In words: ``FITS["crop"], at 64 px``."""
        art = ", by the nearest pixel" if self.pixel_art else ""
        return f"{FITS[self.fit]}, at {self.shape}{art}"

    def __call__(self, picture: Image.Image) -> Image.Image:
        sides = (self.shape.width, self.shape.height)
        if self.fit == "crop":
            picture = picture.crop(self.kept(picture.size))
        elif self.fit == "pad":
            picture = _padded(picture, self._ground(picture.size))
        if not self.pixel_art:
            return _settled(picture.resize(sides, _LANCZOS))
        times = min(sides[0] // picture.width, sides[1] // picture.height)
        if self.fit != "stretch" and times:
            larger = (picture.width * times, picture.height * times)
            return _settled(_padded(picture.resize(larger, _NEAREST), sides))
        return _settled(picture.resize(sides, _NEAREST))

    def kept(self, sides: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part of a picture with these sides that is kept."""
        (width, height), (_, high, wide) = sides, self.shape
        if self.fit == "crop":
            width, height = min(width, height * wide // high), min(height, width * high // wide)
        left, top = (sides[0] - width) // 2, (sides[1] - height) // 2
        return left, top, left + width, top + height

    def _ground(self, sides: tuple[int, int]) -> tuple[int, int]:
        """The sides of the smallest ground of the right proportions that holds all of a picture."""
        (width, height), (_, high, wide) = sides, self.shape
        return max(width, -(-height * wide // high)), max(height, -(-width * high // wide))

    def cut_away(self, sides: tuple[int, int]) -> float:
        """The share of a picture with these sides that is not kept, 0 to 1."""
        left, top, right, bottom = self.kept(sides)
        return 1 - (right - left) * (bottom - top) / (sides[0] * sides[1])


@dataclass(frozen=True)
class Decoded:
    """A prepared picture.

    pixels     uint8 (C, H, W), of the shape of the set
    sides      width and height in the file
    brightest  the largest number of a picture of 16 bits; None for other pictures
    """

    pixels: np.ndarray
    sides: tuple[int, int]
    brightest: int | None


def decode_as(stored: bytes | np.ndarray, how: Preparation) -> Decoded:
    """As :func:`decode`, by another preparation; with what the file had."""
    sides: list[tuple[int, int]] = []
    brightest: list[int] = []

    def seen(picture: Image.Image) -> Image.Image:
        if _is_deep(picture):
            brightest.append(int(np.asarray(picture).max()))
        whole = as_mode(picture, how.shape.channels, how.bits)
        sides.append(whole.size)
        return how(whole)

    return Decoded(_pixels(stored, seen), sides[0], brightest[0] if brightest else None)


def decode(stored: bytes | np.ndarray, size: int | Shape) -> np.ndarray:
    """Decode ``stored`` (the bytes of a file, or uint8 (H, W[, 1 | 3 | 4])): uint8 (C, H, W).

    ``size``: the side of an RGB square, or another shape.

    Width and height in the header are checked before any pixel is decoded. Raises ValueError, with
    the reason as its message, if it is not a readable picture of a sensible size;
    :class:`NotAPicture` if the content is in no known format.
    """
    return decode_as(stored, Preparation(size)).pixels


def halves(stored: bytes | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The left and the right half of a picture that holds two side by side: uint8 (H, W, 3) each.

    Raises ValueError as :func:`decode`, and for an odd width.
    """
    whole = _pixels(stored, as_rgb).transpose(1, 2, 0)
    if whole.shape[1] % 2:
        raise ValueError(f"{whole.shape[1]} pixels wide, which two pictures cannot share equally")
    left, right = np.split(whole, 2, axis=1)
    return left, right


def decode_whole(stored: bytes | np.ndarray, size: int) -> np.ndarray:
    """As :func:`decode`, but without cropping: uint8 (3, H, W), the shorter side is ``size``.

    Also raises ValueError if one side is more than 4 times as long as the other.
    """

    def shrunk(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        if max(width, height) > MOST_OBLONG * min(width, height):
            raise ValueError(
                f"{width} x {height} pixels, more than {MOST_OBLONG} times as long as wide; crop it"
            )
        scale = size / min(width, height)
        return picture.resize((round(width * scale), round(height * scale)), _LANCZOS)

    return _pixels(stored, lambda picture: shrunk(as_rgb(picture)))


def own_picture(path: Path) -> Image.Image:
    """A picture that bascule wrote, such as a sample grid. Raises UserError if it is damaged."""
    try:
        with opened(read_bytes(path, MOST_OWN_BYTES)) as picture:
            check_pixels(*picture.size)
            picture.load()
            return picture
    except Exception as error:  # decoders raise errors of any class on broken files
        remedy = "delete it; nothing but pictures is drawn from it"
        raise unreadable(f"the picture {path}", error, remedy) from None


def check_pixels(width: int, height: int) -> None:
    """Raise ValueError for more pixels than are decoded."""
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width} x {height} pixels; at most {MOST_PIXELS:,} read")


def opened(stored: bytes) -> Image.Image:
    """A picture from bytes; its pixels are not yet decoded.

    Raises :class:`NotAPicture` for bytes in no known format, and Pillow's errors for a broken
    header.
    """
    try:
        return Image.open(io.BytesIO(stored), formats=_formats())
    except UnidentifiedImageError:
        raise NotAPicture(_foreign(stored[:HEAD_BYTES])) from None


def check_format(head: bytes) -> None:
    """Raise :class:`NotAPicture` if a file that begins with ``head`` is in no known format."""
    for name in _formats():
        accepts = Image.OPEN[name][1]
        if accepts is None or accepts(head) is True:  # a text would be the reason of a refusal
            return
    raise NotAPicture(_foreign(head))


def _formats() -> tuple[str, ...]:
    """The ``FORMATS`` that this build of Pillow supports."""
    _init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@functools.cache
def _init() -> None:
    Image.init()


def _foreign(head: bytes) -> str:
    if not head:
        return "not a picture: the file is empty"
    if head[4:8] == b"ftyp":
        return "not decoded: HEIC or a film; export PNG or JPEG first"
    told = (what for start, what in FOREIGN.items() if head.lstrip().startswith(start))
    what = next(told, "")
    return f"not a picture but {what}" if what else "not a picture in a known format"


def _pixels(stored: bytes | np.ndarray, shaped: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    try:
        with _picture(stored) as picture:
            width, height = picture.size
            if min(width, height) < SMALLEST_SIDE:
                raise ValueError(
                    f"{width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} needed"
                )
            check_pixels(width, height)
            small = shaped(picture)
    except ValueError:
        raise
    except Image.DecompressionBombError:
        raise ValueError(f"too many pixels; at most {MOST_PIXELS:,} read") from None
    except Exception as error:  # decoders raise errors of any class on broken files
        raise ValueError(str(error) or type(error).__name__) from None
    return as_pixels(small)


def _picture(stored: bytes | np.ndarray) -> Image.Image:
    if isinstance(stored, bytes):
        return opened(stored)
    return Image.fromarray(stored[..., 0] if stored.shape[2:] == (1,) else stored)


def _is_deep(picture: Image.Image) -> bool:
    """Whether its pixels have 16 bits."""
    return picture.mode == "I" or picture.mode.startswith("I;16")


def as_pixels(picture: Image.Image) -> np.ndarray:
    """A picture in mode L, RGB or RGBA as uint8 (C, H, W), for C = 1, 3 or 4."""
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def as_picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (C, H, W), C = 1, 3 or 4, in mode L, RGB or RGBA: the inverse of :func:`as_pixels`."""
    return Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


def as_mode(picture: Image.Image, channels: int, bits: int = 16) -> Image.Image:
    """``picture`` upright, in mode L (1 channel), RGB (3) or RGBA (4); as :func:`as_rgb`."""
    if channels == 4 and picture.has_transparency_data:
        return ImageOps.exif_transpose(picture).convert("RGBA")
    opaque = as_rgb(picture, bits)
    return opaque.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])


def as_rgb(picture: Image.Image, bits: int = 16) -> Image.Image:
    """``picture`` upright, opaque, in mode RGB. Raises ValueError for floating-point pixels.

    ``bits``: of the numbers in a picture of 16 bits.
    """
    picture = ImageOps.exif_transpose(picture)
    if _is_deep(picture):
        grey = np.asarray(picture).astype(np.float64) * (255 / (2**bits - 1))
        return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("pixels are floating-point numbers of unknown range; save 8 or 16 bits")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _settled(picture: Image.Image) -> Image.Image:
    """``picture``; in mode RGBA, wholly transparent pixels are white, whatever was stored there."""
    if picture.mode != "RGBA":
        return picture
    pixels = np.array(picture)
    pixels[pixels[..., 3] == 0, :3] = 255
    return Image.fromarray(pixels)


def _padded(picture: Image.Image, sides: tuple[int, int]) -> Image.Image:
    """``picture`` in the middle of a ground of the commonest colour of its corners."""
    right, bottom = picture.width - 1, picture.height - 1
    corners = Counter(picture.getpixel((x, y)) for x in (0, right) for y in (0, bottom))
    ground = Image.new(picture.mode, sides, corners.most_common(1)[0][0])
    ground.paste(picture, ((sides[0] - picture.width) // 2, (sides[1] - picture.height) // 2))
    return ground
