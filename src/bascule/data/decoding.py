"""From one stored picture to the pixels of a set: the rule for preparing images.

EXIF orientation is applied; 16-bit grey is scaled to 8 bits; transparency is composited over
white; grey is copied to the three channels; the largest centred square is cropped and resized by
Pillow's LANCZOS, which averages over the source when it shrinks. An animation gives its first
frame.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")
SMALLEST_SIDE = 8
MOST_PIXELS = 50_000_000
MOST_OBLONG = 4
_LANCZOS = Image.Resampling.LANCZOS


def decode(stored: bytes | np.ndarray, size: int) -> np.ndarray:
    """The picture ``stored``, as file bytes or as uint8 (H, W[, 1 | 3 | 4]): uint8 (3, size, size).

    The header's width and height are checked before any pixel is decoded. Raises ValueError, with
    the reason as its message, for anything that is not a readable picture of sensible size.
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


def _pixels(stored: bytes | np.ndarray, shaped: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    try:
        with _opened(stored) as picture:
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
    except UnidentifiedImageError:
        raise ValueError("not a picture in a known format") from None
    except Image.DecompressionBombError:
        raise ValueError(f"too many pixels; at most {MOST_PIXELS:,} read") from None
    except Exception as error:  # decoders raise anything on broken files
        raise ValueError(str(error) or type(error).__name__) from None
    return np.asarray(small).transpose(2, 0, 1)


def _opened(stored: bytes | np.ndarray) -> Image.Image:
    if isinstance(stored, bytes):
        return Image.open(io.BytesIO(stored), formats=FORMATS)
    return Image.fromarray(stored[..., 0] if stored.shape[2:] == (1,) else stored)


def as_rgb(picture: Image.Image) -> Image.Image:
    """``picture`` upright, without transparency, in mode RGB."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        grey = np.asarray(picture).astype(np.float64) / 257.0  # 65535 -> 255
        return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _centred_square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
