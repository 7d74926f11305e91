"""From one stored picture to the pixels of a set: the rule for preparing images.

EXIF orientation is applied; 16-bit grey is scaled to 8 bits; transparency is composited over
white; grey is copied to the three channels; the largest centred square is cropped and resized by
Pillow's LANCZOS, which averages over the source when it shrinks. An animation gives its first
frame.

Every picture of the package is opened here. A format is known by its content, never by the name of
the file. Only the formats of ``FORMATS`` are decoded. Pillow knows more, but some of these (EPS,
WMF) start other programs, and some (TGA, PCX) have no signature to know them by.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bascule.core.errors import UserError

FORMATS = (
    *("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000"),
    *("ICO", "PSD", "QOI", "SGI", "SUN", "DDS"),
)
FOREIGN = {  # what else a file may begin with, to say what it is
    b"%!PS": "PostScript, which only another program can draw",
    b"\xc5\xd0\xd3\xc6": "PostScript, which only another program can draw",
    b"%PDF": "a PDF; export its pictures first",
    b"PK\x03\x04": "an archive; import it by itself",
    b"\x1f\x8b": "an archive; unpack it first",
    b"7z\xbc\xaf": "an archive; unpack it first",
    b"Rar!": "an archive; unpack it first",
    b"<svg": "a drawing without pixels (SVG); export it as PNG first",
}
HEAD_BYTES = 32
SMALLEST_SIDE = 8
MOST_PIXELS = 50_000_000
MOST_OBLONG = 4
_LANCZOS = Image.Resampling.LANCZOS

# Its remarks are on files that are then refused with a reason, or read all the same.
warnings.filterwarnings("ignore", module=r"PIL\.")


class NotAPicture(ValueError):
    """Content in no format that is decoded; the message says what it is instead."""


def decode(stored: bytes | np.ndarray, size: int) -> np.ndarray:
    """The picture ``stored``, as file bytes or as uint8 (H, W[, 1 | 3 | 4]): uint8 (3, size, size).

    The header's width and height are checked before any pixel is decoded. Raises ValueError, with
    the reason as its message, for anything that is not a readable picture of sensible size; it is
    :class:`NotAPicture` where the content is in no known format.
    """
    return _pixels(stored, lambda picture: _centred_square(picture).resize((size, size), _LANCZOS))


def decode_whole(stored: bytes | np.ndarray, size: int) -> np.ndarray:
    """As :func:`decode`, but nothing is cropped: the shorter side becomes ``size`` pixels.

    A picture more than 4 times as long as wide is refused too.
    """

    def shrunk(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        if max(width, height) > MOST_OBLONG * min(width, height):
            raise ValueError(
                f"{width} x {height} pixels, more than {MOST_OBLONG} times as long as wide; crop it"
            )
        scale = size / min(width, height)
        return picture.resize((round(width * scale), round(height * scale)), _LANCZOS)

    return _pixels(stored, shrunk)


def opened(stored: bytes | Path) -> Image.Image:
    """The picture in file bytes, or in a file of ours, by an allowed format; not yet decoded.

    Raises :class:`NotAPicture` for bytes in no such format, UserError for such a file, and what
    Pillow raises for a broken header.
    """
    if isinstance(stored, Path):
        try:
            return Image.open(stored, formats=_formats())
        except UnidentifiedImageError:
            raise UserError(f"{stored} is not a picture in a known format") from None
    try:
        return Image.open(io.BytesIO(stored), formats=_formats())
    except UnidentifiedImageError:
        raise NotAPicture(_foreign(stored[:HEAD_BYTES])) from None


def check_format(head: bytes) -> None:
    """Raises :class:`NotAPicture` where a file that begins with ``head`` is no known picture."""
    for name in _formats():
        accepts = Image.OPEN[name][1]
        if accepts is None or accepts(head) is True:  # a text says why it cannot be decoded here
            return
    raise NotAPicture(_foreign(head))


def _formats() -> tuple[str, ...]:
    """Those of ``FORMATS`` that this Pillow was built with."""
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
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width} x {height} pixels; at most {MOST_PIXELS:,} read")
            small = shaped(as_rgb(picture))
    except ValueError:
        raise
    except Image.DecompressionBombError:
        raise ValueError(f"too many pixels; at most {MOST_PIXELS:,} read") from None
    except Exception as error:  # decoders raise anything on broken files
        raise ValueError(str(error) or type(error).__name__) from None
    return np.asarray(small).transpose(2, 0, 1)


def _picture(stored: bytes | np.ndarray) -> Image.Image:
    if isinstance(stored, bytes):
        return opened(stored)
    return Image.fromarray(stored[..., 0] if stored.shape[2:] == (1,) else stored)


def as_rgb(picture: Image.Image) -> Image.Image:
    """``picture`` upright, without transparency, in mode RGB. Raises ValueError for floats."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        grey = np.asarray(picture).astype(np.float64) / 257.0  # 65535 -> 255
        return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("pixels are floating-point numbers of no known range; save 8 or 16 bits")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _centred_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
