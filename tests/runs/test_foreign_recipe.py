"""A recipe of the user's own kind, looked at without the code of its class."""

import json

import pytest

from bascule.core.errors import UserError
from bascule.core.user_code import load_file
from bascule.gan.objectives import GANLoss
from bascule.interventions import PerfectG
from bascule.runs import codec
from bascule.runs.foreign_recipe import ForeignRecipe
from bascule.runs.store import Run

KIND = """
from dataclasses import dataclass

from bascule.gan.recipe import GANRecipe


@dataclass(frozen=True)
class Mine(GANRecipe):
    weight: float = 0.5

    @property
    def scalars(self):
        return (*super().scalars, "more")
"""


@pytest.fixture
def run(tmp_path, store, tiny) -> Run:
    (tmp_path / "kind.py").write_text(KIND)
    mine = load_file(tmp_path / "kind.py").Mine
    fields = {name: getattr(tiny, name) for name in ("data", "model", "epochs", "batch", "device")}
    recipe = mine(
        **fields, threads=1, interventions=PerfectG(2), objective=GANLoss("hinge"), weight=0.25
    )
    return Run(store.create(recipe, "run", "0" * 64).folder)


def test_it_tells_its_fields_and_what_it_is_able_to_do(run):
    seen, real = run.recipe, run.playable
    assert isinstance(seen, ForeignRecipe) and not isinstance(real, ForeignRecipe)
    assert seen.weight == 0.25 and seen.interventions == (PerfectG(2),) and seen.precision == "fp32"
    assert seen.gan_objective == GANLoss("hinge") and seen.is_diagnosable
    assert seen.scalars == real.scalars and seen.z_dim == real.z_dim == 8
    assert codec.encode(seen) == codec.encode(real)


def test_it_is_compared_and_changed_but_not_trained(run):
    other = run.recipe.replace(seed=3)
    assert codec.differences(run.recipe, other) == {"seed": (0, 3)}
    with pytest.raises(UserError, match="Mine is not loaded"):
        other.build()


@pytest.mark.parametrize("facts", [{"scalars": 3}, {"scalars": [1]}, {"length_fields": 7}])
def test_facts_that_are_none_are_refused_in_one_line(run, facts):
    path = run.folder / "recipe.json"
    told = json.loads(path.read_text())
    told["facts"] |= facts
    path.write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"cannot read .*recipe\.json"):
        _ = Run(run.folder).recipe


def test_facts_take_the_place_of_no_method(run):
    path = run.folder / "recipe.json"
    told = json.loads(path.read_text())
    told["facts"] |= {"replace": "no", "build": "no", "__class__": "no"}
    path.write_text(json.dumps(told))
    assert Run(run.folder).recipe.replace(seed=4).seed == 4


def test_a_field_with_the_name_of_a_method_is_refused(run):
    path = run.folder / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"replace": 3}))
    with pytest.raises(UserError, match="it cannot have the field 'replace'"):
        _ = Run(run.folder).recipe
