"""Interventions that an experiment's own file brings: found there, and only those."""

import pytest
import torch

from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.core.user_code import classes_in_file, classes_of, load_file
from bascule.interventions import Intervention
from bascule.runs import codec

DIM = '''
"""An experiment with a rule of its own."""
from dataclasses import dataclass

from bascule.interventions import Intervention, PerfectG
from bascule.core.schedules import Schedule, Uniform

@dataclass(frozen=True)
class Dim(Intervention):
    """D sees everything darker."""
    factor: Schedule = 0.5
    from_epoch: int = 0

    def augment(self, x, now):
        return x if now.epoch < self.from_epoch else self.factor * x

class Darker(Dim):
    pass

class NotOne:
    pass

alias = PerfectG
number = 3
'''
LATE = "from __future__ import annotations\n" + DIM


@pytest.fixture
def file(tmp_path):
    """``file(text)``: a Python file with that text."""

    def write(text: str, name: str = "an_experiment.py"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.mark.parametrize("text", [DIM, LATE], ids=["now", "late annotations"])
def test_the_files_own_interventions_are_found_and_nothing_else(file, text):
    classes = classes_in_file(file(text))
    assert [c.__name__ for c in classes] == ["Dim", "Darker"]
    assert all(issubclass(c, Intervention) for c in classes)


@pytest.mark.parametrize("text", [DIM, LATE], ids=["now", "late annotations"])
def test_a_brought_class_can_be_written_read_and_used(file, text):
    dim, _ = extra = classes_in_file(file(text))
    rule = codec.parse("Dim(0.25, from_epoch=2)", extra)
    assert rule == dim(0.25, from_epoch=2)
    assert codec.decode(codec.encode(rule), extra) == rule
    x = torch.ones(1, 3, 2, 2)
    assert torch.equal(rule.augment(x, StepContext(0, 2, 9)), x / 4)
    assert rule.augment(x, StepContext(0, 1, 9)) is x
    with pytest.raises(UserError, match="factor='dark' in Dim"):
        codec.parse("Dim(dark)", extra)


def test_no_file_brings_nothing(tmp_path):
    assert classes_in_file(tmp_path / "experiment.py") == ()


@pytest.mark.parametrize("name", ["完璧.py", "a b-c.py", "été.py"])
def test_any_file_name_loads(file, name):
    assert load_file(file("answer = 42", name)).answer == 42


def test_classes_of_a_module_are_in_the_order_of_the_file(file):
    module = load_file(file(DIM))
    assert classes_of(module) == (module.Dim, module.Darker)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 +", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("from bascule.interventions import NoSuchRule", "ImportError"),
        ("raise ValueError('why')", "ValueError: why"),
    ],
)
def test_a_file_that_does_not_load_is_named_with_the_reason(file, text, said):
    path = file(text)
    with pytest.raises(UserError) as refusal:
        load_file(path)
    assert str(refusal.value).startswith(f"{path} does not load: ")
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_refusal_within_a_file_is_passed_on_as_it_is(file):
    path = file("from bascule.core.schedules import Uniform\nUniform(2, 1)")
    with pytest.raises(UserError, match=r"^Uniform\(2\.0, 1\.0\): expected"):
        load_file(path)


def test_a_missing_file_and_one_that_is_no_python_are_refused(file, tmp_path):
    with pytest.raises(UserError, match=r"absent\.py does not load: FileNotFoundError"):
        load_file(tmp_path / "absent.py")
    with pytest.raises(UserError, match=r"note\.txt is not a Python file"):
        load_file(file("x = 1", "note.txt"))


def test_two_files_of_one_name_are_two_modules(tmp_path):
    """Every run keeps its experiment under the same file name."""
    answers = []
    for k in (1, 2):
        folder = tmp_path / str(k)
        folder.mkdir()
        (folder / "experiment.py").write_text(f"answer = {k}\ndef ask():\n    return answer\n")
        answers.append(load_file(folder / "experiment.py"))
    assert [module.ask() for module in answers] == [1, 2]


FIRST = """
from __future__ import annotations
from dataclasses import dataclass
from bascule.interventions import Intervention
Strength = float

@dataclass(frozen=True)
class Dim(Intervention):
    factor: Strength = 0.5
"""


def test_a_second_file_of_one_name_does_not_disturb_the_first(tmp_path):
    paths = [tmp_path / name / "experiment.py" for name in "ab"]
    for path, text in zip(paths, (FIRST, "answer = 42\n"), strict=True):
        path.parent.mkdir()
        path.write_text(text)
    extra = classes_in_file(paths[0])
    load_file(paths[1])
    assert codec.parse("Dim(0.25)", extra).factor == 0.25


def test_loading_leaves_nothing_beside_the_file(file, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = file(DIM)
    load_file(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_edit_of_the_same_size_within_a_second_is_seen(file, monkeypatch):
    import os

    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = file("sigma = 0.1\n")
    os.utime(path, (1e9, 1e9))
    assert load_file(path).sigma == 0.1
    path.write_text("sigma = 0.2\n")
    os.utime(path, (1e9 + 0.5, 1e9 + 0.5))
    assert load_file(path).sigma == 0.2
