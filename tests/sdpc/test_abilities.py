"""What codes are good for, each against what is known without them."""

from itertools import product

import numpy as np
import pytest
import torch

from bascule.attributes.reading import Reading
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.metrics.logits import auc
from bascule.sdpc.abilities import (
    cost,
    foreign,
    inpainted,
    measure_editing,
    measure_foreign,
    measure_inpainting,
)
from bascule.sdpc.coder import Coder
from bascule.sdpc.model import energies, infer


@pytest.fixture(scope="module")
def images():
    return Faces(n=60, size=32, held_out=0.5).load()


@pytest.fixture
def coder(tiny_sdpc, images):
    recipe = tiny_sdpc.replace(data=Faces(n=60, size=32, held_out=0.5), epochs=3)
    return Coder(recipe).fit(np.array(images.pixels[images.indices("train")]))


def test_foreign_pictures_are_what_they_say(images):
    sets = foreign(images, 6)
    own = images.pixels[images.indices("held_out")][:6]
    assert {name: x.shape for name, x in sets.items()} == dict.fromkeys(
        ("shuffled", "fractals", "other style"), (6, 3, 32, 32)
    )
    corners = list(product(range(0, 32, 8), repeat=2))
    for before, after in zip(own, sets["shuffled"], strict=True):
        cut = [
            sorted(x[:, r : r + 8, c : c + 8].tobytes() for r, c in corners)
            for x in (before, after)
        ]
        assert cut[0] == cut[1]  # the same blocks
        assert not np.array_equal(before, after)  # elsewhere
    assert np.array_equal(sets["shuffled"], foreign(images, 6)["shuffled"])
    assert not np.array_equal(sets["shuffled"], foreign(images, 6, seed=1)["shuffled"])
    odd = Faces(n=4, size=30, held_out=0.5).load()
    with pytest.raises(UserError, match="30 px cannot be cut into 4 x 4 blocks"):
        foreign(odd, 2)


def test_auroc_is_mann_whitneys(images):
    rng = np.random.default_rng(0)
    told = iter([rng.integers(0, 5, 30), *(rng.integers(k, 6, 30) for k in (0, 1, 3))])
    scores = []

    def score(pictures):
        scores.append(next(told)[: len(pictures)])
        return scores[-1]

    found = dict(measure_foreign({"mine": score}, images, 30))
    for (name, value), given in zip(found.items(), scores[1:], strict=True):
        assert name.startswith("AUROC of ") and name.endswith("[mine]")
        assert value.value == pytest.approx(auc(given.astype(float), scores[0].astype(float)))
        assert value.floor == 0.5


def test_cost_is_that_of_the_energies(coder, images):
    pictures = np.array(images.pixels[:3])
    y, _ = coder.recipe.prepared(torch.from_numpy(pictures))
    codes = infer(coder.network, y, coder.recipe.settle)
    parts = energies(coder.network, y, codes.maps, coder.recipe.settle)
    np.testing.assert_allclose(cost(coder)(pictures), parts[..., [0, 2]].sum((1, 2)), rtol=1e-5)
    # a network of faces finds noise dear
    noise = np.random.default_rng(0).integers(0, 255, pictures.shape).astype(np.uint8)
    assert cost(coder)(noise).min() > cost(coder)(pictures).max()


def test_only_the_hole_is_filled(coder, images):
    pictures = np.array(images.pixels[images.indices("held_out")][:5])
    filled, before, cut = inpainted(coder, pictures, k_fb=1.0, layer=1, rounds=2)
    assert (cut.start, cut.stop) == (10, 22)
    outside = np.ones((32, 32), bool)
    outside[cut, cut] = False
    for made in (filled, before):
        assert np.array_equal(made[:, :, outside], pictures[:, :, outside])
    assert len(np.unique(before[0, 0, cut, cut])) == 1  # one colour
    near = np.zeros_like(outside)
    near[6:26, 6:26] = True
    mean = pictures[0, 0][near & outside].mean()
    assert abs(before[0, 0, 15, 15] - mean) <= 0.5
    assert not np.array_equal(filled, before)
    found = dict(measure_inpainting(coder, images, 5, (0.0, 2.0)))
    assert list(found) == [
        f"hole L1 of layer {i} at k_fb={k}[inpainted]" for k in (0, 2) for i in (1, 2)
    ]
    plain = np.abs(before.astype(int) - pictures)[:, :, cut, cut].mean() / 255
    assert found["hole L1 of layer 1 at k_fb=0[inpainted]"].floor == pytest.approx(plain, rel=1e-6)


class Darkness:
    """Reads whether a picture is dark, as an attribute, and whether it is green, as another."""

    used = ("dark", "green")

    def read(self, pictures):
        light = pictures.mean((1, 2, 3)) > 127
        green = pictures[:, 1].mean((1, 2)) > pictures[:, 0].mean((1, 2)) + 20
        labels = {"dark": np.where(light, "no", "yes"), "green": np.where(green, "yes", "no")}
        return Reading(labels, np.zeros(len(pictures), bool))


def test_an_attribute_is_moved_towards_its_other_category(tiny_sdpc):
    """Grey noise that is dark or light: the mean code moves it across."""
    from dataclasses import replace

    rng = np.random.default_rng(0)
    light = np.arange(60) % 3 == 0
    pixels = rng.normal(90, 20, (60, 3, 32, 32)) + 80 * light[:, None, None, None]
    images = Faces(n=60, size=32, held_out=0.5).load()
    held_out = np.arange(60) >= 30
    images = replace(
        images,
        pixels=np.clip(pixels, 0, 255).astype(np.uint8),
        held_out=held_out,
        labels={"dark": np.where(light, "no", "yes"), "green": np.full(60, "no")},
    )
    coder = Coder(tiny_sdpc.replace(epochs=1)).fit(np.array(images.pixels[:30]))
    found = dict(measure_editing(coder, images, 10, Darkness()))
    assert set(found) == {"edited as told of dark[codes]", "others kept of dark[codes]"}
    for value in found.values():
        assert value.value == value.floor == 1.0
