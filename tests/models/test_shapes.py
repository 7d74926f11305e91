"""Grey, RGBA and oblong images: each family draws and judges them, or says in one line what not."""

import pytest
import torch

from bascule.core.errors import UserError
from bascule.core.shapes import Shape, read_key, shape_of, square
from bascule.models.biggan import BigGAN, BigGANDeep
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.fastgan import FastGAN
from bascule.models.model import fitted
from bascule.models.projected import Projected
from bascule.models.r3gan import R3GAN
from bascule.models.sagan import SAGAN
from bascule.models.san import SAN
from bascule.models.sngan import SNGAN
from bascule.models.stylegan2 import StyleGAN2
from bascule.models.wgan_gp import WGANGP

OBLONG = [
    DCGAN(width=2, z_dim=4),
    SAN(DCGAN(width=2, z_dim=4)),
    SNGAN(width=1, z_dim=4),
    SAGAN(width=1, z_dim=4),
    WGANGP(width=1, z_dim=4),
    BigGAN(width=1, z_dim=10),
    BigGANDeep(width=4, z_dim=4),
    R3GAN((8, 8, 8, 8, 8), z_dim=4, group=8),
    StyleGAN2(base=256, most=8, z_dim=4, w_dim=4),
]
MODELS = [*OBLONG, FastGAN(width=2, width_D=2, z_dim=4)]


def plays(model, shape: Shape) -> None:
    """G draws images of the shape, and D judges them."""
    G, D = model.players(torch.Generator().manual_seed(0))
    z = torch.randn(4, model.z_dim)
    images = G(z)
    assert images.shape == (4, *shape)
    assert D(images).shape[0] == 4


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_rgba(model, channels):
    shape = Shape(channels, 64, 64)
    followed = fitted(model, shape)
    assert shape_of(followed) == shape
    plays(followed, shape)


@pytest.mark.parametrize("model", OBLONG, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("sides", [(64, 192), (96, 64)])
def test_oblong(model, sides):
    shape = Shape(3, *sides)
    followed = fitted(model, shape)
    assert shape_of(followed) == shape
    plays(followed, shape)
    assert fitted(followed, square(64)) == model


@pytest.mark.parametrize(
    ("model", "size"),
    [
        *((DCGAN(width=1, z_dim=4), size) for size in (16, 32, 128, 256)),
        *((WGANGP(width=1, z_dim=4), size) for size in (32, 128, 256)),
        *((BigGAN(width=1, z_dim=10), size) for size in (32, 128, 256)),
        *((BigGANDeep(width=4, z_dim=4), size) for size in (32, 128, 256)),
        *((StyleGAN2(base=256, most=8, z_dim=4, w_dim=4), size) for size in (16, 256)),
        (R3GAN((8, 8, 8, 8, 8), z_dim=4, group=2), 16),
    ],
)
def test_sizes_of_one_family(model, size):
    plays(fitted(model, square(size)), square(size))


def test_biggan_256_is_that_of_the_paper():
    """Table of 256 px: 16, 16, 8, 8, 4, 2, 1 times the width in G; attention at 64 px in both."""
    G, D = BigGAN(width=2, z_dim=14, size=256).players(torch.Generator())
    kinds = [type(block).__name__ for block in G.blocks]
    assert kinds == ["UpBlock"] * 4 + ["SelfAttention"] + ["UpBlock"] * 2
    outs = [b.conv1.out_channels for b in G.blocks if type(b).__name__ == "UpBlock"]
    assert outs == [32, 16, 16, 8, 4, 2]
    assert [type(b).__name__ for b in D.blocks].index("SelfAttention") == 2


def test_what_a_family_cannot_draw_is_one_line():
    for model, shape, said in (
        (
            DCGANW9(),
            Shape(1, 64, 64),
            "DCGANW9 is for RGB squares, and these images are 64 px, grey",
        ),
        (FastGAN(), Shape(3, 64, 128), r"FastGAN\(sides=\(64, 128\)\): it draws squares"),
        (Projected(DCGAN(), input_px=64), Shape(4, 64, 64), "Projected is for RGB squares"),
        (SNGAN(), Shape(3, 64, 90), "multiple of 16 px, such as 80 or 96"),
        (SNGAN(), square(256), r"SNGAN\(size=256\): expected 32 or 64 or 128"),
        (DCGAN(), Shape(3, 64, 320), "more than 4 times"),
    ):
        with pytest.raises(UserError, match=said):
            fitted(model, shape)
    with pytest.raises(UserError, match=r"DCGAN\(channels=2\): expected 1"):
        DCGAN(channels=2)
    with pytest.raises(UserError, match="its D sees RGB squares"):
        Projected(DCGAN(channels=1), input_px=64)


def test_the_text_of_a_model_tells_a_shape_only_where_it_is_another():
    """Files of weights name their model by this text."""
    text = repr(DCGAN(width=16))
    assert text == "DCGAN(width=16, z_dim=100, size=64, norm_D='batch', norm_eps=1e-05)"
    assert repr(DCGAN(width=16, channels=1)) == text[:-1] + ", channels=1)"


def test_keys_of_shapes():
    for shape, key in (
        (square(64), "64"),
        (Shape(3, 64, 192), "192x64"),
        (Shape(4, 16, 16), "16-rgba"),
        (Shape(1, 192, 64), "64x192-grey"),
    ):
        assert shape.key == key
        assert read_key(key) == shape
    for text in ("", ".64", "64x", "64-blue", "64x64x64"):
        assert read_key(text) is None
