"""Models follow the size of the images, each in its own way; a model of one size says so."""

from dataclasses import dataclass

import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.gan.recipe import GANRecipe
from bascule.models.biggan import BigGAN
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.model import resized
from bascule.models.projected import Projected
from bascule.models.r3gan import R3GAN
from bascule.models.san import SAN
from bascule.models.sngan import SNGAN
from bascule.presets import AAE_PRESETS, FLOW_PRESETS, PRESETS
from bascule.runs import codec

SIZED = {
    name: recipe
    for name, recipe in {**PRESETS, **AAE_PRESETS, **FLOW_PRESETS}.items()
    if not getattr(recipe, "start", None) and not isinstance(recipe.model, DCGANW9)
}


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [64, 128])
def test_every_family_draws_64_and_128_px(name, size):
    recipe = SIZED[name].replace(data=Faces(size=size))
    assert recipe.model.size == size
    assert type(recipe.model) is type(SIZED[name].model)


def test_a_field_follows_and_nothing_else_changes():
    assert resized(SNGAN(5, 7), 128) == SNGAN(5, 7, size=128)
    assert resized(SAN(DCGAN(width=3)), 32) == SAN(DCGAN(width=3, size=32))
    assert resized(Projected(DCGAN(), input_px=128), 128).g == DCGAN(size=128)


def test_r3gan_gets_a_grid_of_half_the_width_or_loses_its_last():
    model = R3GAN((96, 64, 32, 16, 16))
    assert resized(model, 128).widths == (96, 64, 32, 16, 16, 8)
    assert resized(model, 32).widths == (96, 64, 32, 16)
    assert resized(model, 64) == model
    with pytest.raises(UserError, match=r"R3GAN\(size=48\): expected 8 or 16"):
        resized(model, 48)


def test_biggan_keeps_its_chunks_of_z():
    """The paper's networks for 128 px have 120 numbers in z, six chunks of 20."""
    assert resized(BigGAN(z_dim=100), 128) == BigGAN(z_dim=120, size=128)
    assert resized(BigGAN(z_dim=100), 32) == BigGAN(z_dim=80, size=32)


def test_a_model_of_one_size_says_so():
    with pytest.raises(UserError, match="DCGANW9 is for images of 64 px, and these are 32 px"):
        GANRecipe(model=DCGANW9()).replace(data=Faces(size=32))


def test_a_class_of_the_users_follows_by_its_field():
    @dataclass(frozen=True)
    class Mine:
        size: int = 64
        z_dim: int = 8

    assert resized(Mine(), 32) == Mine(32)


def test_settings_follow_too_unless_they_say_the_size():
    recipe = GANRecipe(model=DCGAN(width=8))
    grown = codec.changed(recipe, {"model.width": "4", "data.size": "128"})
    assert grown.model == DCGAN(width=4, size=128)
    with pytest.raises(UserError, match="images are 128 px and the model draws 64 px"):
        codec.changed(recipe, {"data.size": "128", "model.size": "64"})
