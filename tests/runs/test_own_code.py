"""A run is told apart by all of the user's code that decides its result, and runs from its copy."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.user_code import load_file, name_of, sources
from bascule.interventions.foreign import Foreign
from bascule.models.dcgan import DCGAN
from bascule.runs import codec
from bascule.runs.store import Run

DATA = "0" * 64
NOW = StepContext(0, 0, 0)
QUESTION = '''"""Does dimming help D less?"""
from dataclasses import dataclass

from bascule.experiments import Experiment, Lower
from bascule.interventions import Intervention
from bascule.presets import dcgan64_tiny as plain

import helpers

STRENGTH = 0.9


@dataclass(frozen=True)
class Dim(Intervention):
    """D sees everything darker."""

    power: int = 1

    def augment(self, x, now):
        return helpers.times(x, STRENGTH**self.power)


experiment = Experiment(
    question=__doc__,
    hypothesis="h",
    arms={"plain": plain, "dim": plain.replace(interventions=Dim())},
    predictions=[Lower("D_x", arm="dim", than="plain")],
)
'''
HELPERS = """
def times(x, factor):
    from inner.deep import exactly
    return exactly(x) * factor
"""
DEEP = "from . import more\n\ndef exactly(x):\n    return x + more.OFFSET\n"
MORE = "OFFSET = 0.0\n"


@pytest.fixture
def write(tmp_path):
    """``write(name=text)``: files of a user in a folder; the path of the question."""

    def files(folder: str = "mine", **changed: str) -> Path:
        texts = {"question": QUESTION, "helpers": HELPERS, "deep": DEEP, "more": MORE} | changed
        root = tmp_path / folder
        (root / "inner").mkdir(parents=True, exist_ok=True)
        for name in ("question", "helpers"):
            (root / f"{name}.py").write_text(texts[name])
        for name in ("deep", "more"):
            (root / "inner" / f"{name}.py").write_text(texts[name])
        return root / "question.py"

    return files


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


EDITS = {
    "a constant": {"question": changed(QUESTION, "STRENGTH = 0.9", "STRENGTH = 0.05")},
    "a default": {"question": changed(QUESTION, "power: int = 1", "power: int = 2")},
    "a method": {"question": changed(QUESTION, "**self.power", "")},
    "a helper": {"helpers": changed(HELPERS, "* factor", "* factor * 2")},
    "a helper's helper": {"deep": changed(DEEP, "x + more", "x - more")},
    "a constant of a helper's helper": {"more": "OFFSET = 0.5\n"},
}
NO_EDITS = {
    "a comment": {"question": changed(QUESTION, "0.9", "0.9  # as in the paper")},
    "a blank line": {"helpers": changed(HELPERS, "    return", "\n    return")},
    "a docstring": {"question": changed(QUESTION, "everything darker", "all darker")},
    "layout": {"more": "OFFSET = (\n    0.0\n)\n"},
    "the hypothesis": {"question": changed(QUESTION, '"h"', '"it does"')},
    "a prediction": {
        "question": changed(
            changed(QUESTION, "Experiment, Lower", "Experiment, Higher, Lower"),
            'than="plain")]',
            'than="plain"), Higher("D_x", arm="dim", than="plain")]',
        )
    },
}


def run_of(path: Path, store, tiny) -> Run:
    """A run of a rule that the file defines."""
    return store.create(tiny.replace(interventions=load_file(path).Dim()), "run", DATA)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_what_decides_the_result_is_another_run(edit, write, store, tiny):
    before = run_of(write(), store, tiny)
    after = run_of(write(**EDITS[edit]), store, tiny)
    assert before.id != after.id
    assert run_of(write(), store, tiny).id == before.id


@pytest.mark.parametrize("edit", NO_EDITS)
def test_an_edit_that_changes_no_result_is_the_same_run(edit, write, store, tiny):
    before = run_of(write(), store, tiny)
    assert run_of(write(**NO_EDITS[edit]), store, tiny).id == before.id


def test_a_docstring_counts_where_the_code_reads_it(write, store, tiny):
    reads = changed(QUESTION, "STRENGTH = 0.9", "STRENGTH = len(str.__doc__)")
    before = run_of(write(question=reads), store, tiny)
    after = run_of(write(question=changed(reads, "everything darker", "all darker")), store, tiny)
    assert before.id != after.id


def test_recipes_of_package_classes_do_not_depend_on_the_users_file(write, store, tiny):
    load_file(write())
    run = store.create(tiny, "plain", DATA)
    assert run.id.endswith(codec.digest((tiny, DATA, None)))
    assert not (run.folder / "code").exists()


def test_a_run_keeps_its_files_and_runs_from_them_alone(write, store, tiny, tmp_path):
    run = run_of(path := write(), store, tiny)
    kept = sorted(p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*.py"))
    assert kept == [f"code/{n}.py" for n in ("helpers", "inner/deep", "inner/more", "question")]
    shutil.rmtree(path.parent)
    rule = Run(run.folder).playable.interventions[0]
    assert torch.equal(rule.augment(torch.ones(2), NOW), torch.full((2,), 0.9))
    assert not list(run.folder.rglob("*.pyc"))
    assert isinstance(Run(run.folder).recipe.interventions[0], Foreign)


def test_files_of_one_name_in_two_folders_are_not_mixed_up(write):
    one = load_file(write("one", more="OFFSET = 1.0\n")).Dim()
    two = load_file(write("two", more="OFFSET = 2.0\n")).Dim()
    x = torch.zeros(1)
    assert [round(rule.augment(x, NOW).item(), 4) for rule in (one, two)] == [0.9, 1.8]
    assert "helpers" not in sys.modules and type(one) is not type(two)
    texts = [sources([type(rule)])["inner/more.py"] for rule in (one, two)]
    assert texts == [b"OFFSET = 1.0\n", b"OFFSET = 2.0\n"]


NETS = """
from dataclasses import dataclass
from bascule.models import dcgan

@dataclass(frozen=True)
class DCGAN(dcgan.DCGAN):
    def players(self, rng):
        return dcgan.DCGAN(2 * self.width, self.z_dim, self.size).players(rng)
"""


def test_a_subclass_of_the_packages_name_is_never_taken_for_it(tmp_path, store, tiny):
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    wide = load_file(path).DCGAN(width=4, z_dim=8, size=32)
    run = store.create(tiny.replace(model=wide), "run", DATA)
    plain = store.create(tiny, "run", DATA)
    assert run.id != plain.id
    model = Run(run.folder).playable.model
    assert type(model) is not DCGAN and name_of(type(model)) == "nets.py:DCGAN"
    assert model.players(torch.Generator())[0](torch.zeros(2, 8)).shape == (2, 3, 32, 32)
    assert type(Run(plain.folder).playable.model) is DCGAN
    shown = Run(run.folder).recipe
    assert isinstance(shown.model, Foreign) and shown.replace(seed=3).z_dim == 8
    with pytest.raises(UserError, match="DCGAN names several classes: write"):
        codec.parse("DCGAN(4)", [load_file(path).DCGAN])
    assert type(codec.parse(f"{path}:DCGAN(4)")) is load_file(path).DCGAN
    assert type(codec.parse("bascule.models.dcgan:DCGAN(4)")) is DCGAN


def test_a_renamed_class_is_another_run(tmp_path, store, tiny):
    path = tmp_path / "nets.py"
    ids = []
    for name in ("Wide", "Wider"):
        path.write_text(NETS.replace("class DCGAN", f"class {name}"))
        model = getattr(load_file(path), name)(width=4, z_dim=8, size=32)
        ids.append(store.create(tiny.replace(model=model), "run", DATA).id)
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "class Mine:\n    size, z_dim, players = 32, 8, None\nit = Mine()",
            "not a frozen dataclass",
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Mine:\n    size: int = 32\n"
            "    z_dim: int = 8\n    def players(self, rng): ...\nit = Mine()",
            "Mine is not a frozen dataclass",
        ),
        (
            "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n"
            "    size: int = 32\n    z_dim: int = 8\n    more: object = frozenset()\n"
            "    def players(self, rng): ...\nit = Mine()",
            "cannot be kept in a file: it is a frozenset",
        ),
        (
            "from dataclasses import dataclass\ndef make():\n    @dataclass(frozen=True)\n"
            "    class Mine:\n        size: int = 32\n        z_dim: int = 8\n"
            "        def players(self, rng): ...\n    return Mine()\nit = make()",
            "defined inside a function",
        ),
        ("it = 3", "model=3 in GANRecipe: expected a Model, a value with size, z_dim, players"),
    ],
)
def test_a_model_that_cannot_be_kept_is_refused_in_one_line(text, said, tmp_path, store, tiny):
    path = tmp_path / "nets.py"
    path.write_text(text)
    with pytest.raises(UserError) as refusal:
        store.create(tiny.replace(model=load_file(path).it), "run", DATA)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_two_different_files_of_one_path_cannot_be_kept_together(write):
    one = load_file(write("one", more="OFFSET = 1.0\n")).Dim
    two = load_file(write("two", more="OFFSET = 2.0\n")).Dim
    with pytest.raises(UserError, match="would be the same file in the run's copy of the code"):
        sources([one, two])


def test_runs_from_before_files_had_names_are_found_again(tmp_path, store, tiny):
    """They knew the source of a rule's class, and kept the file as ``experiment.py``."""
    text = (
        "from dataclasses import dataclass\nfrom bascule.interventions import Intervention\n"
        "S = 0.9\n@dataclass(frozen=True)\nclass Dim(Intervention):\n"
        "    def augment(self, x, now):\n        return S * x\n"
    )
    path = tmp_path / "question.py"
    path.write_text(text)
    recipe = tiny.replace(interventions=load_file(path).Dim())
    run = store.create(recipe, "run", DATA)
    source = text[text.index("@dataclass") :]
    key = codec.digest((recipe, DATA, None, source), bare=True)
    old = store.root / f"20250101-run-{key}"
    run.folder.rename(old)
    shutil.rmtree(old / "code")
    (old / "experiment.py").write_text(text)
    plain = (old / "recipe.json").read_text().replace("question.py:Dim", "Dim")
    (old / "recipe.json").write_text(plain)
    assert store.same(recipe, "run", DATA).id == old.name
    with pytest.raises(UserError, match=r"experiment\.py would run for Dim"):
        _ = Run(old).playable
    path.write_text(text.replace("0.9", "0.5"))  # the class is the same, and the rule is not
    assert store.same(tiny.replace(interventions=load_file(path).Dim()), "run", DATA) is None
