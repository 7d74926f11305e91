"""The rule for preparing one picture, against values computed by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.core.shapes import Shape
from bascule.data.decoding import Preparation, decode, decode_as


def stored(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=form, **options)
    return file.getvalue()


def colours(pixels: np.ndarray) -> list[int]:
    return pixels[:, 4, 4].tolist()


def test_transparency_is_composited_over_white() -> None:
    # 100 * 51/255 + 255 * 204/255 = 20 + 204 = 224, and so on
    picture = Image.new("RGBA", (8, 8), (100, 0, 255, 51))
    assert colours(decode(stored(picture), 8)) == [224, 204, 255]
    assert colours(decode(stored(Image.new("RGBA", (8, 8), (9, 9, 9, 0))), 8)) == [255] * 3
    assert colours(decode(stored(Image.new("LA", (8, 8), (100, 51))), 8)) == [224] * 3


def test_a_transparent_palette_colour_is_white_and_the_others_stay() -> None:
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    assert colours(decode(stored(picture), 8)) == [40, 50, 60]
    assert colours(decode(stored(picture, transparency=1), 8)) == [255, 255, 255]
    assert colours(decode(stored(picture, transparency=0), 8)) == [40, 50, 60]


def test_grey_is_copied_and_16_bits_are_scaled() -> None:
    assert colours(decode(stored(Image.new("L", (8, 8), 77)), 8)) == [77] * 3
    deep = Image.fromarray(np.full((8, 8), 25700, np.uint16))
    assert colours(decode(stored(deep), 8)) == [100] * 3  # 25700 / 257
    pgm = b"P5 8 8 65535\n" + np.full((8, 8), 25700, ">u2").tobytes()
    assert colours(decode(pgm, 8)) == [100] * 3
    assert colours(decode(stored(Image.new("1", (8, 8), 1)), 8)) == [255] * 3


def test_orientation_is_applied() -> None:
    picture = Image.new("RGB", (16, 16), "black")
    picture.paste("white", (0, 0, 16, 8))  # bright above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: the top becomes the right
    pixels = decode(stored(picture, "JPEG", exif=exif, quality=100), 16)
    assert pixels[:, 8, 13].min() > 240 and pixels[:, 8, 2].max() < 15
    plain = decode(stored(picture, "JPEG", quality=100), 16)
    assert plain[:, 2, 8].min() > 240 and plain[:, 13, 8].max() < 15


def test_the_centred_square_is_kept() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    assert (decode(stored(Image.fromarray(wide)), 10) == 200).all()
    assert (decode(stored(Image.fromarray(wide.transpose(1, 0, 2))), 10) == 200).all()


def test_shrinking_averages_and_does_not_alias() -> None:
    board = np.indices((128, 128)).sum(0) % 2 * 255  # picking pixels would give 0 or 255
    pixels = decode(stored(Image.fromarray(board.astype(np.uint8))), 8)
    assert abs(pixels.astype(int) - 127).max() <= 3


def test_the_result_is_what_pillow_gives_for_a_plain_square() -> None:
    square = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    picture = Image.fromarray(square)
    expected = np.asarray(picture.resize((16, 16), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    for form in ("PNG", "BMP", "PPM"):
        assert (decode(stored(picture, form), 16) == expected).all()
    assert (decode(stored(picture, "WEBP", lossless=True), 16) == expected).all()
    assert (decode(square, 16) == expected).all()
    assert decode(stored(picture, "GIF"), 16).shape == (3, 16, 16)


def test_an_animation_gives_its_first_frame() -> None:
    first, second = Image.new("L", (8, 8), 10), Image.new("L", (8, 8), 200)
    gif = stored(first, "GIF", save_all=True, append_images=[second])
    assert colours(decode(gif, 8)) == [10] * 3


def huge_png(side: int) -> bytes:
    """A PNG that declares ``side`` x ``side`` pixels and holds next to none."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


noisy = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (stored(Image.new("RGB", (1, 1))), "1 x 1 pixels; at least 8 x 8"),
        (stored(Image.new("RGB", (7, 400))), "7 x 400 pixels"),
        (huge_png(20_000), "at most 50,000,000"),
        (huge_png(8_000), "8000 x 8000 pixels; at most 50,000,000"),
        (b"no picture at all", "not a picture"),
        (b"", "not a picture"),
        (stored(noisy)[:-2000], "truncated"),
        (stored(noisy, "JPEG")[:900], "truncated"),
        (b"%PDF-1.4 ...", "not a picture"),
        (np.zeros((4, 4), np.uint8), "4 x 4 pixels"),
    ],
)
def test_bad_pictures_are_refused_with_their_reason(data: bytes | np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(data, 8)


def oblong() -> np.ndarray:
    """Red, 8 x 24 px, with a blue pixel in the middle of each third."""
    picture = np.full((8, 24, 3), (200, 0, 0), np.uint8)
    picture[4, [4, 12, 20]] = (0, 0, 200)
    return picture


def test_all_of_a_picture_is_kept_by_padding_or_stretching():
    made = decode_as(oblong(), Preparation(24, "pad", pixel_art=True))
    padded = made.pixels
    assert made.sides == (24, 8) and made.brightest is None
    assert (padded[:, 8:16] == oblong().transpose(2, 0, 1)).all()
    assert (padded[0, :8] == 200).all() and (padded[1:, 16:] == 0).all()  # the corners' colour
    stretched = decode_as(oblong(), Preparation(24, "stretch", pixel_art=True)).pixels
    assert (stretched[2] == 200).sum() == 9  # each blue pixel is 1 x 3 now
    cropped = decode_as(oblong(), Preparation(8, pixel_art=True)).pixels
    assert (cropped[2] == 200).sum() == 1


def test_pixel_art_is_enlarged_by_whole_numbers_and_mixes_no_colour():
    sprite = np.random.default_rng(0).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    made = decode_as(sprite, Preparation(32, pixel_art=True)).pixels
    assert (made[:, 1:31:3, 1:31:3] == sprite.transpose(2, 0, 1)).all()
    colours = {tuple(pixel) for pixel in made.reshape(3, -1).T.tolist()}
    assert colours == {tuple(pixel) for pixel in sprite.reshape(-1, 3).tolist()}


def test_what_is_cut_away_is_a_share_of_the_picture():
    assert Preparation(8).cut_away((192, 64)) == pytest.approx(2 / 3)
    assert Preparation(8).cut_away((64, 64)) == 0
    assert Preparation(8, "pad").cut_away((192, 64)) == 0
    with pytest.raises(UserError, match="fit='fill': expected crop, pad, stretch"):
        Preparation(8, "fill")  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "expected"), [(16, 16), (12, 255), (14, 64)])
def test_numbers_of_fewer_bits_in_files_of_16_are_scaled_by_their_own_range(bits, expected) -> None:
    deep = np.full((8, 8), 4095, np.uint16)
    made = decode_as(stored(Image.fromarray(deep)), Preparation(8, bits=bits))
    assert (made.pixels == expected).all() and made.brightest == 4095
    with pytest.raises(UserError, match="bits=8: expected 9 to 16"):
        Preparation(8, bits=8)


def test_a_set_of_other_proportions_crops_pads_or_stretches():
    """A picture of 24 x 8 px: its left third is blue, the rest has the colour 200, 0, 0."""
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, :8, 2] = 255
    wide[:, 8:, 0] = 200
    tall = Shape(3, 16, 8)
    cropped = decode_as(wide, Preparation(tall)).pixels
    assert cropped.shape == (3, 16, 8) and (cropped[0] == 200).all()  # 4 columns, from 10 to 14
    assert Preparation(tall).kept((24, 8)) == (10, 0, 14, 8)
    assert Preparation(tall).cut_away((24, 8)) == pytest.approx(1 - 4 / 24)
    padded = decode_as(wide, Preparation(Shape(3, 48, 24), "pad", pixel_art=True)).pixels
    assert (padded[:, 20:28] == wide.transpose(2, 0, 1)).all()
    stretched = decode_as(wide, Preparation(Shape(3, 8, 24), "stretch")).pixels
    assert (stretched == wide.transpose(2, 0, 1)).all()
    assert decode_as(wide, Preparation(Shape(3, 8, 24))).pixels.shape == (3, 8, 24)


def test_grey_sets_have_the_luma_of_colours():
    picture = Image.new("RGB", (8, 8), (10, 200, 90))
    made = decode_as(stored(picture), Preparation(Shape(1, 8, 8))).pixels
    assert made.shape == (1, 8, 8)
    assert (made == round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)).all()


def test_rgba_sets_keep_alpha_and_what_nobody_sees_is_white():
    sprite = np.zeros((8, 8, 4), np.uint8)
    sprite[2:6, 2:6] = (10, 20, 30, 255)
    sprite[0, 0] = (99, 98, 97, 0)  # invisible
    made = decode_as(sprite, Preparation(Shape(4, 16, 16), pixel_art=True)).pixels
    assert made.shape == (4, 16, 16)
    assert set(map(tuple, made.reshape(4, -1).T.tolist())) == {
        (10, 20, 30, 255),
        (255, 255, 255, 0),
    }
    opaque = decode_as(stored(Image.new("RGB", (8, 8), "red")), Preparation(Shape(4, 8, 8))).pixels
    assert (opaque[3] == 255).all()
