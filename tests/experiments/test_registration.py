"""What is registered of an experiment, its hash, and what is said to have changed since."""

from dataclasses import dataclass, replace

import pytest

from bascule.core.errors import UserError
from bascule.experiments import Experiment, Higher, Measure, Within
from bascule.experiments.experiment import load
from bascule.experiments.registration import experiment_key
from bascule.interventions import InstanceNoise

FILE = """
from dataclasses import dataclass

from bascule.data.faces import Faces
from bascule.experiments import Experiment, Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import Intervention
from bascule.models.dcgan import DCGAN


@dataclass(frozen=True)
class Darker(Intervention):
    by: float = 0.1

    def augment(self, x, context):
        return x - self.by


@dataclass(frozen=True)
class Calm:
    arm: str

    def claim(self):
        return "D is calm"

    def measured(self):
        return "mean"

    def region(self):
        return 0.0, 1.0

    def measure(self, curves, seed):
        return float(curves[self.arm][seed]["D_x"].mean())


plain = GANRecipe(data=Faces(n=40, size=32), model=DCGAN(width=4, z_dim=8, size=32), epochs=2)
experiment = Experiment("Q?", "H.", {"plain": plain, "dark": plain.replace(interventions=Darker())},
                        [Within("D_x", "plain", 0, 1), Calm("dark")])
"""


@pytest.fixture
def experiment(tiny):
    noisy = tiny.replace(interventions=InstanceNoise())
    return Experiment(
        "Does noise help?",
        "It does.",
        {"plain": tiny, "noise": noisy},
        [Higher("D_Gz", "noise", than="plain", by=0.1)],
        checks=[Within("D_x", "plain", 0, 1)],
        measure=Measure(fakes=20, attributes=False),
    )


def key(experiment, digest="a"):
    return experiment_key(experiment, {r.data: digest for r in experiment.arms.values()})


def test_the_key_changes_with_all_that_is_asked_and_with_nothing_else(experiment, tiny):
    start = key(experiment)
    assert len(start) == 64 and start == key(replace(experiment))
    arms = experiment.arms
    others = [
        replace(experiment, question="Does it?"),
        replace(experiment, hypothesis="It does not."),
        replace(experiment, predictions=[Higher("D_Gz", "noise", than="plain", by=0.2)]),
        replace(experiment, checks=()),
        replace(experiment, arms={"plain": tiny.replace(lr_D=1e-3), "noise": arms["noise"]}),
        replace(experiment, arms={"noise": arms["noise"], "plain": tiny}),  # another control
        replace(experiment, measure=Measure(fakes=21, attributes=False)),
    ]
    keys = [start, key(experiment, digest="b"), *map(key, others)]
    assert len(set(keys)) == len(keys)
    reseeded = {name: recipe.replace(seed=5) for name, recipe in arms.items()}
    alike = [
        replace(experiment, seeds=(7, 8)),
        replace(experiment, remarks="Later.", name="other", pictures=False),
        replace(experiment, arms=reseeded),
    ]
    assert {start} == set(map(key, alike))


def test_comments_change_nothing_and_code_does(tmp_path):
    def of(text):
        (tmp_path / "mine.py").write_text(text, "utf-8")
        return key(load(tmp_path / "mine.py"))

    start = of(FILE)
    assert of(FILE.replace("return x - self.by", "# darker\n        return x - self.by")) == start
    assert (
        of(
            FILE.replace('"Q?", "H."', 'hypothesis="H.", question="Q?"')
            .replace('{"plain": plain', 'arms={"plain": plain')
            .replace('[Within("D_x", "plain"', 'predictions=[Within("D_x", "plain"')
        )
        == start
    )
    assert of(FILE.replace("x - self.by", "x - 2 * self.by")) != start
    assert of(FILE.replace('["D_x"].mean()', '["D_x"].max()')) != start


@dataclass(frozen=True)
class Shaped(Within):
    """A prediction with a field that no JSON can hold."""

    of: object = None


def test_a_value_that_cannot_be_written_is_refused(experiment):
    odd = replace(experiment, predictions=[Shaped("D_x", "plain", 0, 1, of=1j)])
    with pytest.raises(UserError, match="1j cannot be registered: expected numbers, text"):
        key(odd)
