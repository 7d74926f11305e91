"""A recipe is a value: frozen, hashable, whole, and never nonsense."""

import dataclasses
import math
import re

import pytest

from bascule.core.errors import UserError
from bascule.core.schedules import Anneal
from bascule.data.augment import Affine, Flip
from bascule.data.faces import Faces
from bascule.data.fractals import Fractals
from bascule.gan.objectives import GANLoss, TopK
from bascule.gan.penalties import R1
from bascule.gan.recipe import GANRecipe
from bascule.interventions import InstanceNoise, NoiseOnReals, PerfectG
from bascule.models.dcgan import DCGAN, DCGANW9

PLAIN = GANRecipe()


def refused(said: str, **fields) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        PLAIN.replace(**fields)
    assert "\n" not in str(refusal.value)


def test_but_changes_what_it_names_and_nothing_else():
    other = PLAIN.replace(epochs=60, lr_D=1e-3)
    told = {f.name: getattr(other, f.name) for f in dataclasses.fields(GANRecipe)}
    expected = {f.name: getattr(PLAIN, f.name) for f in dataclasses.fields(GANRecipe)}
    assert told == expected | {"epochs": 60, "lr_D": 1e-3}
    assert GANRecipe() == PLAIN


def test_but_with_nothing_is_the_same_recipe():
    assert PLAIN.replace() == PLAIN


def test_an_unknown_field_is_refused_with_the_nearest_and_all_names():
    with pytest.raises(UserError) as refusal:
        PLAIN.replace(learning_rate_D=1)
    said = str(refusal.value)
    assert said.startswith("unknown recipe field 'learning_rate_D': ")
    assert all(f.name in said for f in dataclasses.fields(GANRecipe))
    with pytest.raises(UserError, match=r"did you mean epochs\?"):
        PLAIN.replace(epoch=3)


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PLAIN.epochs = 3


def test_equal_recipes_are_one_key():
    change = [PerfectG(3), NoiseOnReals(0.1)]
    a = PLAIN.replace(interventions=change, augment=[Flip(), Affine(degrees=10)])
    b = PLAIN.replace(interventions=tuple(change), augment=(Flip(), Affine(degrees=10)))
    assert a == b and len({a, b}) == 1
    assert a != PLAIN and len({a, PLAIN}) == 2


@pytest.mark.parametrize(
    "change",
    [PerfectG(3), [PerfectG(3)], (PerfectG(3),), iter([PerfectG(3)])],
    ids=["one", "list", "tuple", "iterator"],
)
def test_one_change_or_several_become_a_tuple(change):
    assert PLAIN.replace(interventions=change).interventions == (PerfectG(3),)


def test_one_augmentation_becomes_a_tuple_too():
    assert PLAIN.replace(augment=Flip()).augment == (Flip(),)
    assert PLAIN.replace(augment=[]).augment == ()


@pytest.mark.parametrize(
    ("field", "values", "said"),
    [
        ("epochs", [0, -1], "a whole number >= 1"),
        ("sample_every_epochs", [0, -1], "a whole number >= 1"),
        ("keep_every_epochs", [0], "a whole number >= 1"),
        ("batch", [1, 0, -8], "at least 2 images"),
        ("critic_steps", [0, -1], "a whole number >= 1"),
        ("ema_half_life", [-1.0], "images, >= 0"),
        ("lr_decay", [-0.1, 1.1], "a share of the epochs, 0 to 1"),
        ("lr_D", [Anneal(0.0, 1e-3, 9), Anneal(1e-3, 1.0, 9)], "a number between 0 and 1"),
        ("penalties", [(R1(1.0), R1(2.0))], "each kind once"),
        ("threads", [0, -1], "at least 1, or None"),
        ("lr_D", [0.0, -1e-4, 1.0], "a number between 0 and 1"),
        ("lr_G", [0.0, -1e-4, 1.0], "a number between 0 and 1"),
        ("beta1", [-0.1, 1.0], r"a number in \[0, 1\)"),
        ("beta2", [-0.1, 1.0], r"a number in \[0, 1\)"),
    ],
)
def test_bad_numbers_are_refused_with_name_value_and_expectation(field, values, said):
    for value in values:
        refused(f"^{field}={re.escape(repr(value))}: expected {said}", **{field: value})


@pytest.mark.parametrize("field", ["lr_D", "lr_G", "beta1", "beta2"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_are_finite(field, value):
    refused(f"^{field}={value!r} in GANRecipe: Input should be a finite number", **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 2.5),
        ("epochs", "three"),
        ("batch", 8.5),
        ("seed", 0.5),
        ("precision", "fp16"),
        ("space", "hvs"),
        ("interventions", 3),
        ("interventions", "PerfectG"),
        ("interventions", PerfectG),
        ("augment", 3),
        ("data", 3),
        ("model", "dcgan"),
    ],
)
def test_values_of_a_wrong_kind_are_refused(field, value):
    refused(field, **{field: value})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"data": Faces(size=32), "model": DCGAN()},
            "the images are 32 px and the model draws 64 px",
        ),
        ({"model": DCGAN(size=128)}, "the images are 64 px and the model draws 128 px"),
        ({"data": Fractals(size=32), "model": DCGANW9()}, "32 px and the model draws 64 px"),
    ],
)
def test_sizes_that_do_not_match_are_refused_with_the_remedy(fields, said):
    refused(said + ": set data.size and model.size to the same number", **fields)


def test_sizes_that_match_pass():
    assert PLAIN.replace(data=Faces(size=32), model=DCGAN(size=32)).model.size == 32


def test_a_change_beyond_the_end_is_refused():
    refused(
        r"^PerfectG\(at_epoch=60, .*\) never acts: the run has 50 epochs; let it act",
        epochs=50,
        interventions=PerfectG(at_epoch=60),
    )
    refused(r"NoiseOnReals\(.* never acts: the run has 100", interventions=[NoiseOnReals(0.1, 100)])
    refused(r"InstanceNoise\(.* never acts", interventions=[PerfectG(3), InstanceNoise(0.1, 200)])


def test_a_run_shortened_below_its_change_is_refused():
    treated = PLAIN.replace(interventions=PerfectG(at_epoch=60))
    with pytest.raises(UserError, match="never acts: the run has 60 epochs"):
        treated.replace(epochs=60)
    assert treated.replace(epochs=61).epochs == 61  # it acts in the last epoch


def test_the_best_fakes_are_not_picked_from_pairs():
    refused("the relativistic loss needs the real", objective=GANLoss("relativistic"), top_k=TopK())


def test_an_image_set_as_data_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"data=<faces.*expected a DataSource") as refusal:
        PLAIN.replace(data=Faces(n=8, size=32).load(), model=DCGAN(size=32))
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 320
