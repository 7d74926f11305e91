"""A hyperparameter search with an unbiased final test.

Trials train on a part of the training images. The other part ranks them, and is not used in the
final test (:class:`bascule.data.validation_split.ValidationSplit`). The best of many noisy numbers
is biased. So the best settings and the start settings are trained again on fresh seeds, and both
are measured against the held-out images, which the search never used.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from filelock import FileLock

from bascule.core.errors import InUse, UserError, unknown
from bascule.core.fields import check_fields
from bascule.core.reading import open_regular
from bascule.data.images import ImageSet
from bascule.data.validation_split import ValidationSplit
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.experiment import Experiment, Measure, loaded
from bascule.experiments.predictions import (
    HELD_OUT_COVERAGE,
    HELD_OUT_KID,
    SPACE,
    Higher,
    Lower,
)
from bascule.features.extractor import Extractor, label
from bascule.features.extractors import DEFAULT, extractor
from bascule.features.judges import judge_of
from bascule.gan.recipe import GANRecipe
from bascule.metrics.measurement import Measurement
from bascule.runs import codec
from bascule.runs.evaluations import evaluations
from bascule.runs.execute import execute
from bascule.runs.quality import QualityEvery
from bascule.runs.store import Store, slug
from bascule.training.hardware import resolve_auto

if TYPE_CHECKING:
    from optuna import Study, Trial

Goal = Literal["KID", "seconds"]


@dataclass(frozen=True)
class Among:
    """One of ``values``; text is parsed as on the command line: ``"[InstanceNoise(0.1)]"``."""

    values: tuple[str | int | float | bool, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        if len(set(self.values)) < 2:
            raise UserError(f"Among({self.values}): expected at least two different values")

    def suggest(self, trial: Trial, name: str) -> str | int | float | bool | None:
        return trial.suggest_categorical(name, self.values)


@dataclass(frozen=True)
class Between:
    """A number from ``low`` to ``high``; ``log``: uniform on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        _check_range("Between", self.low, self.high, self.log)

    def suggest(self, trial: Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        _check_range("Whole", self.low, self.high, self.log)

    def suggest(self, trial: Trial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, log=self.log)


Choice = Among | Between | Whole


def _check_range(kind: str, low: float, high: float, log: bool) -> None:
    if not low < high or (log and low <= 0):
        positive = " and above 0 (log=True)" if log else ""
        raise UserError(f"{kind}({low}, {high}): expected low < high{positive}")


@dataclass(frozen=True)
class Tuning:
    """A search that starts from the recipe ``start`` and varies the fields in ``space``.

    space        dotted recipe field -> its choices: ``{"lr_D": Between(1e-5, 1e-3, log=True)}``.
    minimise     "KID", or "KID" and "seconds" for a Pareto front. KID is measured against the
                 validation images, with ``fakes`` fakes.
    attributes   whether the final test also measures the attributes of built-in faces.
    looks        the number of evenly spaced measurements of a trial; a bad trial ends early there.
    pruner       the rule that ends trials early; not used with two goals.
    choosing     the share of training images that are kept as validation images to rank the trials.
    trials       the default number of trials.
    seed         the seed of every trial. ``fresh_seeds``: the seeds of the final test.
    quick        the same search at a size that takes a minute, to test that it runs.
    """

    question: str
    start: GANRecipe
    space: Mapping[str, Choice]
    minimise: tuple[Goal, ...] = ("KID",)
    fakes: int = 1000
    attributes: bool = True
    looks: int = 4
    pruner: Literal["median", "hyperband", "none"] = "median"
    choosing: float = 0.2
    trials: int = 30
    seed: int = 0
    fresh_seeds: tuple[int, ...] = (101, 102, 103, 104, 105)
    remarks: str = ""
    pictures: bool = True
    quick: Tuning | None = None
    name: str = ""
    file: Path | None = None
    user_classes: tuple[type, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.space:
            raise UserError("a tuning needs at least one field: space={'lr_D': Between(1e-5, 0.1)}")
        for path, choice in self.space.items():
            if not isinstance(choice, Among | Between | Whole):
                raise UserError(f"space[{path!r}]={choice!r}: expected Among, Between or Whole")
            some = choice.values[0] if isinstance(choice, Among) else choice.low
            self.recipe({path: some})  # raises for unknown fields
            if path.partition(".")[0] in ("seed", "data", "epochs", "device"):
                raise UserError(
                    f"space[{path!r}]: all trials must have the same {path} to be ranked; remove it"
                )
        for goal in self.minimise:
            if goal not in ("KID", "seconds"):
                raise unknown("goal", goal, ("KID", "seconds"))
        if self.minimise[:1] != ("KID",) or len(set(self.minimise)) != len(self.minimise):
            raise UserError(f"minimise={self.minimise}: expected ('KID',) or ('KID', 'seconds')")
        if self.seed in self.fresh_seeds or not self.fresh_seeds:
            raise UserError(
                f"fresh_seeds={self.fresh_seeds}: expected seeds other than seed={self.seed}"
            )
        if not 1 <= self.looks <= self.start.epochs or self.fakes < 6 or self.trials < 1:
            raise UserError(
                f"looks={self.looks}, fakes={self.fakes}, trials={self.trials}: expected 1 to "
                f"{self.start.epochs} looks, at least 6 fakes and 1 trial"
            )
        if isinstance(self.start.data, ValidationSplit):
            raise UserError(
                "the start trains on a ValidationSplit: give the whole set, tuning splits it"
            )
        if self.start.uses_held_out():
            raise UserError("the start shows D the held-out images, and the final test needs them")

    def recipe(self, params: Mapping[str, Any]) -> GANRecipe:
        """The start recipe with ``params`` set, on all its images."""
        texts = {k: _said(v) for k, v in params.items()}
        return codec.changed(self.start, texts, self.user_classes)

    def with_settings(self, settings: Mapping[str, str], name: str = "") -> Tuning:
        """This tuning with fields of the start set (dotted field -> text), and another name."""
        start = codec.changed(self.start, settings, self.user_classes)
        return replace(self, start=start, name=name or self.name)

    def folder(self, store: Store) -> Path:
        """The folder of the files that its workers share."""
        return store.root / "tuning" / slug(self.name)

    def trial(self, params: Mapping[str, Any]) -> GANRecipe:
        """The recipe of a trial with ``params``, on the validation split."""
        recipe = self.recipe(params)
        assert not isinstance(recipe.data, ValidationSplit)
        every = max(1, recipe.epochs // self.looks)
        return resolve_auto(
            recipe.replace(
                data=ValidationSplit(recipe.data, self.choosing),
                seed=self.seed,
                threads=1,
                keep_every_epochs=every,
                sample_every_epochs=recipe.epochs,
            )
        )

    def start_params(self) -> dict[str, Any] | None:
        """The parameters of the start; None if one of its values is not in the space."""
        found: dict[str, Any] = {}
        for path, choice in self.space.items():
            value: Any = self.start
            for name in path.split("."):
                value = getattr(value, name, None)
            if isinstance(choice, Among):
                alike = [v for v in choice.values if self.recipe({path: v}) == self.start]
                if not alike:
                    return None
                found[path] = alike[0]
            elif isinstance(value, int | float) and choice.low <= value <= choice.high:
                found[path] = value
            else:
                return None
        return found

    @property
    def judge(self) -> str:
        """The name of the extractor that ranks trials; no trial was trained through it."""
        choices = [
            (path, v) for path, c in self.space.items() if isinstance(c, Among) for v in c.values
        ]
        tried = [self.start, *(self.recipe({path: value}) for path, value in choices)]
        return judge_of({name for recipe in tried for name in recipe.saw})

    @property
    def final(self) -> tuple[Measurement, Measurement]:
        """The KID and the coverage of the final test."""
        space = SPACE if self.judge == DEFAULT else extractor(self.judge).name
        return HELD_OUT_KID.at(extractor=space), HELD_OUT_COVERAGE.at(extractor=space)

    def judgement(self, best: Mapping[str, Any]) -> Experiment:
        """The final test: the best settings and the start, on fresh seeds and all images."""
        recipe = self.recipe(best).replace(threads=1)
        kid, coverage = self.final
        arms = {"start": self.start.replace(threads=1), "best": recipe}
        return Experiment(
            question=self.question,
            hypothesis=(
                "The settings that did best in the search also do better than those it started "
                "from on seeds and held-out images that it never used."
            ),
            arms={name: arm.replace(keep_every_epochs=arm.epochs) for name, arm in arms.items()},
            predictions=[
                Lower(kid, "best", than="start"),
                Higher(coverage, "best", than="start"),
            ],
            seeds=self.fresh_seeds,
            measure=Measure(
                self.fakes, self.attributes, features="" if self.judge == DEFAULT else self.judge
            ),
            pictures=self.pictures,
            remarks=self.remarks,
            name=f"tuned {self.name}",
            file=self.file,
        )


def _said(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def load(path: Path, quick: bool = False) -> Tuning:
    """The ``tuning`` of a Python file, or its quick version, with the name of the file."""
    found, name, classes = loaded(path, "tuning", Tuning, quick)
    return replace(found, name=name, file=path, user_classes=classes)


def work(
    study: Study,
    tuning: Tuning,
    store: Store,
    images: ImageSet,
    extractor: Extractor,
    folder: Path,
    trials: int,
    until: float,
    must_stop: Callable[[], bool],
    worker: str = "",
) -> bool:
    """Run trials until ``trials`` have started in total, or until the time ``until``.

    ``until``: seconds since 1970. ``folder``: the files that the workers of this machine share.
    ``worker``: a unique name. Returns False if a stop was requested.
    """
    while time.time() < until:
        with one_at_a_time(folder):
            if counted(study) >= trials:
                break
            trial = study.ask()
            trial.set_user_attr("worker", worker)
        if not play(study, trial, tuning, store, images, extractor, must_stop) or must_stop():
            return False
    return True


def _without_half_a_line(journal: Path) -> None:
    """Drop the last line if it has no end: whoever wrote it was killed, or the disk was full.

    Optuna would append the next line to it, and could read neither. Raises ValueError if it is no
    regular file, because Optuna would wait for a pipe.
    """
    from optuna.storages.journal import JournalFileSymlinkLock

    def whole() -> bool:
        with open_regular(journal, sys.maxsize) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            return file.read(1) in (b"", b"\n")

    if whole():
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()  # another search may be in the middle of this line
    try:
        if not whole():
            content = journal.read_bytes()
            os.truncate(journal, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def study_of(tuning: Tuning, storage: str, seed: int | None = None) -> Study:
    """Create or load the study of a search. ``storage``: a file, or the URL of a database.

    Raises :class:`UserError` if Optuna is missing, if the storage cannot be opened, or if the study
    there has another start, space or goal.
    """
    optuna = _optuna()
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    pruners = {
        "median": optuna.pruners.MedianPruner(n_startup_trials=5),
        "hyperband": optuna.pruners.HyperbandPruner(1, max_resource=tuning.looks),
        "none": optuna.pruners.NopPruner(),
    }
    try:
        kept: BaseStorage
        if "://" in storage:
            kept = RDBStorage(storage)
        else:
            if Path(storage).exists():
                _without_half_a_line(Path(storage))
            Path(storage).parent.mkdir(parents=True, exist_ok=True)
            kept = JournalStorage(JournalFileBackend(storage))
        study: Study = optuna.create_study(
            study_name=tuning.name,
            storage=kept,
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=pruners[tuning.pruner],
            directions=["minimize"] * len(tuning.minimise),
            load_if_exists=True,
        )
    except Exception as error:
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"cannot open the study in {storage}: {told}") from None
    rules = _rules_of(tuning)
    began_with = study.user_attrs.get("rules")
    if began_with is None:
        study.set_user_attr("rules", rules)
        if (params := tuning.start_params()) is not None:
            study.enqueue_trial(params, user_attrs={"start": True})
    elif began_with != rules:
        raise UserError(
            f"the study {tuning.name!r} in {storage} has another start, space or goal: "
            "give another --name"
        )
    return study


def _rules_of(tuning: Tuning) -> str:
    """A digest of everything that the trials of a study must have in common."""
    told = (
        *(tuning.start, tuning.minimise, tuning.fakes, tuning.looks, tuning.choosing, tuning.seed),
        *(f"{path}: {choice}" for path, choice in tuning.space.items()),
    )
    return codec.digest(told)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError('tuning needs Optuna: pip install -e ".[tune]"') from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


INTERRUPTED = "interrupted"


def counted(study: Study) -> int:
    """The number of started trials, without those that will be started again."""
    return sum(
        trial.state.name != "WAITING" and not trial.user_attrs.get(INTERRUPTED)
        for trial in study.get_trials(deepcopy=False)
    )


def ended(study: Study) -> list[Any]:
    """The trials that have ended, without those that were started again."""
    found = study.get_trials(deepcopy=False)
    return [t for t in found if t.state.is_finished() and not t.user_attrs.get(INTERRUPTED)]


def put_back(study: Study, trial: Any) -> None:
    """End a trial that was stopped early, and queue it again, so that its run is resumed."""
    from optuna.trial import TrialState

    storage = study._storage  # a finished trial accepts no attributes through the public API
    storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
    study.tell(trial.number, state=TrialState.FAIL)
    kept = {"start": True} if trial.user_attrs.get("start") else {}
    study.enqueue_trial(trial.params, user_attrs=kept)


def fail(study: Study, trial: Any, why: str) -> None:
    """Record that a trial failed, with the reason."""
    from optuna.trial import TrialState

    study._storage.set_trial_user_attr(trial._trial_id, "why", why)
    study.tell(trial.number, state=TrialState.FAIL)


def orphans(study: Study, worker: str) -> list[Any]:
    """The running trials of ``worker``, which has ended."""
    return [trial for trial in _running(study) if trial.user_attrs.get("worker") == worker]


def left_behind(study: Study) -> list[Any]:
    """Trials marked as running on this machine whose process has ended."""
    return [
        trial
        for trial in _running(study)
        if trial.user_attrs.get("host") == socket.gethostname()
        and _is_dead(trial.user_attrs["pid"])
    ]


def _running(study: Study) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # a process of another user
        pass
    return False


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """A lock: only one worker of this machine asks for a trial at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".ask"):
        yield


def play(
    study: Study,
    trial: Trial,
    tuning: Tuning,
    store: Store,
    images: ImageSet,
    extractor: Extractor,
    must_stop: Callable[[], bool],
) -> bool:
    """Train one trial and report it to the study; returns False if a stop was requested.

    A trial whose losses diverge, or that does not fit into memory, counts as bad.
    """
    from optuna.trial import TrialState

    trial.set_user_attr("pid", os.getpid())
    trial.set_user_attr("host", socket.gethostname())
    params = {path: choice.suggest(trial, path) for path, choice in tuning.space.items()}
    hopeless = [False]
    seen: set[int] = set()
    may_end = tuning.pruner != "none" and len(tuning.minimise) == 1

    def told(found: Evaluation) -> None:
        if may_end and found.epoch is not None and found.epoch not in seen:
            seen.add(found.epoch)
            trial.report(measured(found, "KID on held-out"), step=len(seen))
            hopeless[0] = trial.should_prune()

    def measured(found: Evaluation, name: str) -> float:
        return found[label(name, extractor)].measured.value

    def pruned(why: str) -> None:
        trial.set_user_attr("why", why)
        study.tell(trial, state=TrialState.PRUNED)

    try:
        recipe = tuning.trial(params)
        name = f"{tuning.name} trial"
        run = store.create(recipe, name, images.digest)
        trial.set_user_attr("run", run.id)
        for found in evaluations(run.folder):
            told(found)
        every = recipe.keep_every_epochs
        callback = QualityEvery(run, every, images, extractor, tuning.fakes, told)
        torch.set_num_threads(1)
        state = execute(run, store, (callback,), images, lambda: hopeless[0] or must_stop())
    except InUse:
        fail(study, trial, "another trial has the same settings")
        return True
    except UserError as refusal:
        pruned(str(refusal))
        return True
    if state != "finished" and not hopeless[0]:
        put_back(study, trial)
        return False
    last = evaluations(run.folder)[-1]
    trial.set_user_attr("epochs", last.epoch)
    trial.set_user_attr("coverage", measured(last, "coverage of held-out"))
    seconds = sum(row.get("seconds", 0.0) for row in run.rows())
    trial.set_user_attr("seconds", seconds)
    if state != "finished":
        pruned("hopeless")
        return True
    values = {"KID": measured(last, "KID on held-out"), "seconds": seconds}
    study.tell(trial, [values[goal] for goal in tuning.minimise])
    return True


def best_of(study: Study) -> Any:
    """The finished trial with the lowest KID; None if none has finished."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(done, key=lambda trial: trial.values[0], default=None)


def importances(study: Study) -> dict[str, float]:
    """The share of KID's variance that each field explains (PED-ANOVA), the largest first.

    Empty if fewer than 4 trials have finished, or if all are equal.
    """
    optuna = _optuna()
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(done) < 4:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that low values are taken for good: they are
            shares: dict[str, float] = optuna.importance.get_param_importances(
                study, target=lambda t: t.values[0]
            )
            return shares
    except (RuntimeError, ValueError):
        return {}
