"""Looking at runs that came from elsewhere executes nothing of them."""

from pathlib import Path

import pytest

from bascule.core import trust
from bascule.core.context import StepContext
from bascule.core.errors import UserError
from bascule.interventions.foreign import Foreign, foreign
from bascule.runs import codec
from bascule.runs.store import Store

QUESTION = """
from dataclasses import dataclass
from pathlib import Path

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Within
from bascule.interventions import Intervention
from bascule.models.dcgan import DCGAN
from bascule.gan.recipe import GANRecipe

@dataclass(frozen=True)
class Dim(Intervention):
    factor: float = 0.5
    at_epoch: int = 1

    def first_epoch(self):
        return self.at_epoch

    def augment(self, x, now):
        return x * self.factor if now.epoch >= self.at_epoch else x

plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32), batch=8,
               epochs=2, device="cpu", threads=1)
experiment = Experiment("Is dim good?", "It is.",
                        {"plain": plain, "dim": plain.replace(interventions=Dim(0.25))},
                        [Within("D_x", "dim", 0, 0.99)], seeds=(0,))
"""


def test_no_copy_of_an_experiment_is_executed_to_look(bascule, tmp_path):
    Path("question.py").write_text(QUESTION)
    assert bascule("run", "question.py")[0] == 0
    code, _, err = bascule("pack", "question.py", "-o", "question.tar.xz")
    assert code == 0, err

    # Whoever packs may write anything into the copy: it is no part of what finds a run.
    for copy in Path("runs").glob("*/code/question.py"):
        copy.write_text(f"{QUESTION}\nPath({str(tmp_path / 'marker')!r}).touch()\n")
    assert bascule("pack", "question.py", "-o", "evil.tar.xz")[0] == 0

    there = ("--runs", "elsewhere")
    code, out, err = bascule(*there, "unpack", "evil.tar.xz")
    assert code == 0 and "2 runs unpacked" in out, err
    store = Store(Path("elsewhere"))
    dim = next(run for run in store.runs() if (run.folder / "code").exists())
    for words in (
        ["list"],
        ["compare", "plain", dim.id],
        ["report", "question.py"],
        ["pack", "question.py", "-o", "again.tar.xz"],
        ["unpack", "again.tar.xz"],
        ["compare", "plain", str(dim.folder)],
    ):
        code, out, err = bascule(*there, *words)
        assert code == 0, err
        if words[0] == "compare":
            page = Path(out.rpartition("page: ")[2].strip()).with_suffix(".md")
            assert "Dim(factor=0.25, at_epoch=1)" in out + page.read_text("utf-8")
    from bascule.reports.run_note import write_run_note

    write_run_note(dim, "")
    assert "Dim(factor=0.25, at_epoch=1)" in (dim.folder / "note.md").read_text("utf-8")
    assert not (tmp_path / "marker").exists()

    with pytest.raises(UserError, match=r"question\.py would run for question\.py:Dim; read it"):
        _ = dim.playable  # what trains, draws or measures would load it
    assert not (tmp_path / "marker").exists()
    trust.mark(*dim._own_files())
    _ = dim.playable
    assert (tmp_path / "marker").exists()


def test_a_placeholder_prints_compares_and_is_written_as_the_rule_itself():
    plain = {
        "is": "Dim",
        "factor": 0.25,
        "at_epoch": 3,
        "law": {"is": "Uniform", "low": 0, "high": 1},
    }
    rule = codec.decode(plain, to_look=())
    assert isinstance(rule, Foreign) and repr(rule).startswith("Dim(factor=0.25, at_epoch=3, law=U")
    assert rule == codec.decode(plain, to_look=())
    assert rule != codec.decode(plain | {"factor": 0.5}, to_look=())
    assert codec.encode(rule)["is"] == "Dim" and codec.encode(rule)["factor"] == 0.25
    assert rule.first_epoch() == 3
    assert foreign("Dim", {}).first_epoch() == 0
    with pytest.raises(UserError, match="unknown class in a recipe 'Dim'"):
        codec.decode(plain)


def test_no_game_is_played_with_a_placeholder():
    rule = foreign("Dim", {"factor": 0.25})
    with pytest.raises(
        UserError, match=r"this run uses Dim from its own code, which is not loaded"
    ):
        rule.on_step_start(None, StepContext(0, 0, 0))
