"""Runs of CUT, FastCUT and pix2pix: their stops, their pictures, their pairs, bad recipes."""

import pytest
import torch
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.augment import Flip, Jitter
from bascule.data.faces import Faces
from bascule.presets import TRANSLATION_PRESETS
from bascule.runs.execute import execute
from bascule.training.trainer import Batch
from bascule.translation.cut.model import CUT
from bascule.translation.cut.recipe import ContrastiveRecipe
from bascule.translation.domains import TwoSets
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.model import Pix2Pix
from bascule.translation.pix2pix.recipe import PairedRecipe, PairedTrainer

SMALL = {"epochs": 2, "batch": 2, "threads": 1, "device": "cpu"}
CUT_RECIPE = ContrastiveRecipe(
    data=TwoSets(Faces(n=12, size=32, style="adventurer"), Faces(n=9, size=32)),
    model=CUT(4, 1, 32, width_D=4, halvings=2, taps=("rgb", "down1"), features=8),
    patches=16,
    **SMALL,
)
RECIPES = {
    "CUT": CUT_RECIPE,
    "FastCUT": CUT_RECIPE.replace(contrast=10.0, identity=False, flips=True),
    "pix2pix": PairedRecipe(
        data=CartoonPair(n=8, tests=4, size=32, paired=True),
        model=Pix2Pix(4, 1, 32, net="resnet", width_D=4, halvings=2),
        **SMALL,
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_it_stops_and_goes_on_as_if_nothing_had_happened(name, make_run, store, same):
    recipe = RECIPES[name]
    whole, half = make_run(recipe, "whole"), make_run(recipe, "half")
    assert execute(whole, store) == "finished"
    steps = iter(range(99))
    assert execute(half, store, must_stop=lambda: next(steps) > 8) == "interrupted"
    assert execute(half, store) == "finished"
    assert same(whole.load_checkpoint()["game"], half.load_checkpoint()["game"])
    assert set(recipe.scalars) <= {scalar for row in whole.rows() for scalar in row}
    with Image.open(whole.sample(2)) as grid:
        assert grid.height > 3 * 32 and grid.width > 8 * 32  # three rows of eight


def test_pix2pix_sees_pictures_that_belong_together():
    recipe = RECIPES["pix2pix"]
    images = recipe.data.load()
    pixels = torch.from_numpy(images.pixels[images.indices("train")])
    seen = []

    class Watched(PairedTrainer):
        def turn(self, a, b, context):
            seen.append((a, b))
            return {}

    trainer = Watched(recipe, recipe.build().players)
    labels = recipe.labels_of(images)
    for step in range(6):
        trainer.step(Batch(pixels, torch.arange(2), 0, step, labels=labels))
    corners = [(a[:, :, 0, 0], b[:, :, 0, 0]) for a, b in seen]  # the colour of the background
    assert all((ours - theirs).abs().max() < 3 / 255 for ours, theirs in corners)
    assert len({tuple(ours.flatten().round(decimals=1).tolist()) for ours, _ in corners}) > 1


def test_presets_of_the_papers_have_their_numbers():
    cut, fast = (TRANSLATION_PRESETS[name] for name in ("cut-256", "fastcut-256"))
    assert (cut.contrast, cut.identity, cut.flips, cut.patches) == (1.0, True, False, 256)
    assert (fast.contrast, fast.identity, fast.flips) == (10.0, False, True)
    assert cut.temperature == 0.07 and (cut.model.init, cut.model.blurred_D) == ("xavier", True)
    assert cut.augment == fast.augment == (Jitter(286 / 256), Flip(0.5))
    assert fast.model == cut.model


def test_presets_of_the_papers_show_each_set_as_often_as_published():
    """The authors' 200 epochs (CycleGAN, FastCUT) and 400 (CUT) show each set once an epoch."""
    for name, times, constant in (
        ("cyclegan-256", 200, 100),
        ("cut-256", 400, 200),
        ("fastcut-256", 200, 150),
    ):
        recipe = TRANSLATION_PRESETS[name]
        data = recipe.data
        assert data.a.n == data.b.n
        steps = 2 * data.a.n  # of an epoch: the batches of both sets together, of one picture
        assert recipe.batch == 1 and steps * recipe.epochs == times * data.a.n
        assert recipe.lr.from_epoch * steps == constant * data.a.n
        assert recipe.lr.until_epoch == recipe.epochs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CUT_RECIPE.replace(patches=1), "patches=1: expected at least 2 positions"),
        (lambda: CUT_RECIPE.replace(temperature=0.0), "temperature=0.0: expected a number > 0"),
        (lambda: CUT_RECIPE.replace(contrast=-1.0), "contrast=-1.0: expected a number >= 0"),
        (
            lambda: PairedRecipe(data=CartoonPair()),
            "from pairs; expected CartoonPair(paired=True)",
        ),
        (lambda: Pix2Pix(size=48), "expected at least 32, a power of 2"),
        (lambda: RECIPES["pix2pix"].replace(model=Pix2Pix(4, 1, 64)), "the model turns 64 px"),
    ],
)
def test_what_is_no_recipe_is_refused(make, message):
    with pytest.raises(UserError) as refused:
        make()
    assert message in str(refused.value)
