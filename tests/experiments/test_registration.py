"""What is registered of an experiment, its hash, and what is said to have changed since."""

import json
from dataclasses import dataclass, replace

import pytest

from bascule.core.errors import UserError
from bascule.experiments import Experiment, Higher, Measure, Within
from bascule.experiments.experiment import load
from bascule.experiments.registration import (
    FILE,
    Registration,
    canonical,
    content_of,
    deviations,
    judged_by,
    register,
    registrations,
    runs_begun,
    sha256,
)
from bascule.interventions import InstanceNoise
from fakes import fake_rows, write_fake

MINE = """
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
                        [Within("D_x", "plain", 0.1, 1), Calm("dark")])
"""


@pytest.fixture
def experiment(tiny):
    noisy = tiny.replace(interventions=InstanceNoise())
    return Experiment(
        "Does noise help?",
        "It does.",
        {"plain": tiny, "noise": noisy},
        [Higher("D_Gz", "noise", than="plain", by=0.1)],
        checks=[Within("D_x", "plain", 0.1, 1)],
        measure=Measure(fakes=20, attributes=False),
    )


def key(experiment, digest="a"):
    digests = {recipe.data: digest for recipe in experiment.arms.values()}
    return sha256(content_of(experiment, [0], digests, "1.0"))


def test_the_key_changes_with_all_that_is_asked_and_with_nothing_else(experiment, tiny):
    start = key(experiment)
    assert len(start) == 64 and start == key(replace(experiment))
    arms = experiment.arms
    others = [
        replace(experiment, question="Does it?"),
        replace(experiment, hypothesis="It does not."),
        replace(experiment, predictions=[Higher("D_Gz", "noise", than="plain", by=0.2)]),
        replace(experiment, checks=()),
        replace(experiment, primary=experiment.predictions[0]),
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

    start = of(MINE)
    assert of(MINE.replace("return x - self.by", "# darker\n        return x - self.by")) == start
    assert (
        of(
            MINE.replace('"Q?", "H."', 'hypothesis="H.", question="Q?"')
            .replace('{"plain": plain', 'arms={"plain": plain')
            .replace('[Within("D_x", "plain"', 'predictions=[Within("D_x", "plain"')
        )
        == start
    )
    assert of(MINE.replace("x - self.by", "x - 2 * self.by")) != start
    assert of(MINE.replace('["D_x"].mean()', '["D_x"].max()')) != start


@dataclass(frozen=True)
class Shaped(Within):
    """A prediction with a field that no JSON can hold."""

    of: object = None


def test_a_value_that_cannot_be_written_is_refused(experiment):
    odd = replace(experiment, predictions=[Shaped("D_x", "plain", 0.1, 1, of=1j)])
    with pytest.raises(UserError, match="1j cannot be registered: expected numbers, text"):
        key(odd)


def content(experiment, seeds=(0, 1), version="1.0 (abc)", digest="a"):
    digests = {recipe.data: digest for recipe in experiment.arms.values()}
    return content_of(experiment, seeds, digests, version)


def test_the_hash_is_that_of_sorted_json_and_changes_with_seeds_and_version(experiment):
    start = content(experiment)
    plain = json.loads(json.dumps(start))
    assert json.loads(canonical(start)) == plain
    assert sha256(dict(reversed(plain.items()))) == sha256(start) == sha256(plain)
    assert sha256({"b": [1, "é"], "a": None}) == (  # printf '{"a":null,"b":[1,"é"]}' | sha256sum
        "f8f17faab95c024891d173fa43442b0e52007736a1f36715ac721ab22deeefc5"
    )
    assert sha256(content(experiment, seeds=(1, 0))) == sha256(start)
    others = [content(experiment, seeds=(0,)), content(experiment, version="1.1")]
    assert len({sha256(each) for each in (start, *others)}) == 3


def test_registrations_are_added_and_never_replaced(experiment, tiny, tmp_path):
    run = write_fake(tmp_path / "run", tiny, "mine plain s2", fake_rows(0, False, n=4), samples=())
    first, second = content(experiment), content(experiment, seeds=(0, 1, 2))
    (one,), new = register(tmp_path / "note", "mine", first, ())
    assert new and (one.number, one.content, one.earlier_runs) == (1, first, ())
    again, new = register(tmp_path / "note", "mine", first, [run])
    assert not new and again == [one]
    every, new = register(tmp_path / "note", "mine", second, [run])
    assert new and every[0] == one and (every[1].number, every[1].content) == (2, second)
    assert every[1].earlier_runs == ("2026-01-02T03:04:05+00:00",)
    assert registrations(tmp_path / "note") == every
    assert registrations(tmp_path) == []


def test_a_damaged_or_foreign_file_is_refused_and_kept(experiment, tmp_path):
    register(tmp_path, "mine", content(experiment), ())
    path = tmp_path / FILE
    good = path.read_text("utf-8")
    with pytest.raises(UserError, match="is the registration of mine, not of other: give another"):
        register(tmp_path, "other", content(experiment), ())
    for bad, told in (
        (good.replace("It does.", "It never does."), "registration 1 is not as it was written"),
        (good.replace('"registered"', '"then"'), "KeyError: 'registered'; restore it"),
        ("{", "cannot read"),
        ("[]", "it holds a list"),
    ):
        path.write_text(bad, "utf-8")
        with pytest.raises(UserError, match=told):
            register(tmp_path, "mine", content(experiment), ())
        assert path.read_text("utf-8") == bad


def at(date, number=1, earlier=()):
    return Registration("mine", number, date, earlier, (), {})


def test_the_last_registration_before_the_first_run_counts():
    early, late = at("2026-01-01T12:00:00+00:00"), at("2026-01-03T12:00:00+00:00", 2)
    run = "2026-01-02T12:00:00+00:00"
    assert early.precedes([run]) and early.precedes([]) and not late.precedes([run])
    assert not late.precedes(["2026-01-04T00:00:00+00:00", run])
    assert not at(early.registered, earlier=(run,)).precedes([])
    assert not early.precedes(["yesterday"])
    # 11:00 in Berlin was before 12:00 in London
    assert not early.precedes(["2026-01-01T12:30:00+01:00"])
    assert judged_by([early, late], [run]) is early
    assert judged_by([early, late], ["2026-01-04T00:00:00+00:00"]) is late
    assert judged_by([late, at("2026-01-05T00:00:00+00:00", 2)], [run]) is late


def test_runs_are_found_by_the_name_of_their_experiment(tiny, tmp_path):
    names = (
        "mine plain s0",
        "mine very noisy s12",
        "mine-quick plain s0",
        "mine plain",
        "x mine s0",
    )
    rows = fake_rows(0, False, n=tiny.epochs)
    runs = [
        write_fake(tmp_path / str(k), tiny, name, rows, samples=()) for k, name in enumerate(names)
    ]
    begun = ("2026-01-02T03:04:05+00:00",)
    assert runs_begun("mine", runs, (0, 1)) == (begun, begun)
    assert runs_begun("mine", runs, (0, 12)) == (begun * 2, ())
    assert runs_begun("mine", runs, (5,)) == ((), begun * 2)


def test_every_kind_of_deviation_is_told(experiment, tiny):
    before = content(experiment)
    assert deviations(before, json.loads(json.dumps(before))) == []
    changed = Experiment(
        "Does noise help?",
        "It does not.",
        {
            "quiet": tiny,
            "plain": tiny.replace(lr_D=1e-3),
        },
        [Higher("D_Gz", "quiet", than="plain", by=0.2)],
        checks=[Within("D_x", "plain", 0.1, 1)],
        measure=Measure(fakes=21, attributes=False),
        primary=Higher("D_Gz", "quiet", than="plain", by=0.2),
    )
    told = {
        each.what: (each.registered, each.now)
        for each in deviations(before, content(changed, (1, 2), "1.1", digest="b"))
    }
    assert told.pop("hypothesis") == ("It does.", "It does not.")
    assert told.pop("arm “noise”") == ("registered", "")
    assert told.pop("arm “quiet”") == ("", "added")
    assert told.pop("the control") == ("plain", "quiet")
    assert told.pop("arm “plain”, lr_D") == ("0.0002", "0.001")
    assert told.pop("images of arm “plain”") == ("a", "b")
    assert told.pop("seed 0") == ("registered", "") and told.pop("seed 2") == ("", "added")
    assert told.pop("version of bascule") == ("1.0 (abc)", "1.1")
    assert told.pop("what is measured")[1].endswith('"fakes": 21, "attributes": false}')
    assert told.pop("prediction") == ("", changed.predictions[0].claim())
    assert told.pop("primary prediction") == ("", changed.predictions[0].claim())
    assert not told  # the check is as it was


def test_an_edited_intervention_is_a_deviation(tmp_path):
    def of(text):
        (tmp_path / "mine.py").write_text(text, "utf-8")
        return load(tmp_path / "mine.py")

    before = content(of(MINE))
    edited = of(MINE.replace("x - self.by", "x + self.by"))
    (code,) = deviations(before, content(edited), edited.user_classes)
    assert code.what == "your code" and code.registered != code.now
    stronger = of(MINE.replace("interventions=Darker()", "interventions=Darker(by=0.3)"))
    (arm,) = deviations(before, content(stronger), stronger.user_classes)
    assert arm.what == "arm “dark”, interventions"
    assert "by=0.1" in arm.registered and "by=0.3" in arm.now
