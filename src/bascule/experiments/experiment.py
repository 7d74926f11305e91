"""An experiment: one question, its arms, and predictions made before any results are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

from bascule.core.errors import UserError, unknown
from bascule.core.user_code import classes_of, code_in, code_of, load_file, sources
from bascule.evaluation.evaluate import PIXELS, SUPPORT
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.bounds import NoiseBound, check_bounds
from bascule.experiments.factors import Factor, check_factors
from bascule.experiments.files import FOLDER
from bascule.experiments.obtainable import (
    Asked,
    Part,
    check_arms,
    check_judge,
    check_obtainable,
)
from bascule.experiments.predictions import SPACE, Prediction, about, check, numbers_of
from bascule.features.extractor import FeatureExtractor
from bascule.features.extractors import DEFAULT, EXTRACTORS, extractor
from bascule.features.judges import judge_of, why_not
from bascule.gan.recipe import GANRecipe
from bascule.metrics import Metric
from bascule.metrics.measured import METRICS
from bascule.metrics.measurement import Measurement, check_own, parse
from bascule.runs import codec
from bascule.runs.own import extractor_of, metric_named, named, words_for
from bascule.sdpc.measure import K_FB, SIGMAS, way
from bascule.training.loop import Callback
from bascule.training.recipe import Recipe

Defined = TypeVar("Defined")


@dataclass(frozen=True)
class Measure:
    """What is measured of every finished run: ``bascule evaluate`` with ``fakes`` fakes.

    ``attributes``: also measure the attributes of built-in faces. Their classifier is trained once,
    in minutes. ``epochs``: the numbers of completed epochs after which runs are measured, each with
    a kept checkpoint; empty: only at the end. ``every_kept``: also measure at every checkpoint that
    the recipe keeps. ``metrics``: the user's own metrics (:class:`bascule.metrics.Metric`), each a
    class or an instance. ``features``: the feature extractor, by name, or one of the user's own
    (:class:`bascule.features.FeatureExtractor`); empty: the default one, or the next best if a game
    of the experiment was trained through that (:mod:`bascule.features.judges`). A prediction about
    such a number has to name it: ``KID.at(extractor=Mine())``.

    The other fields are for hybrids of GAN and SDPC only. ``settled_fakes``: measure the fakes
    after settling at each ``k_fb`` (:func:`bascule.sdpc.settling.measure_settled`); this takes
    longer than all the rest. ``sigmas``: measure how well codes denoise images with noise of these
    standard deviations. ``decoded``: measure how well held-out images are decoded from their codes.
    ``abilities``: measure what codes are useful for (:mod:`bascule.sdpc.abilities`).
    """

    fakes: int = 1000
    attributes: bool = True
    epochs: tuple[int, ...] = ()
    every_kept: bool = False
    k_fb: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    decoded: bool = False
    abilities: bool = False
    settled_fakes: bool = True
    metrics: tuple[Metric, ...] = ()
    features: str | FeatureExtractor = ""

    def __post_init__(self) -> None:
        metrics = tuple(m() if isinstance(m, type) else m for m in self.metrics)
        object.__setattr__(self, "metrics", metrics)
        for metric in metrics:
            if not isinstance(metric, Metric):
                raise UserError(
                    f"Measure(metrics=...): {metric!r} is not a Metric; expected a subclass"
                )
            check_own(metric)
        if isinstance(self.features, str):
            if self.features and self.features not in EXTRACTORS:
                raise unknown("extractor", self.features, EXTRACTORS)
        elif isinstance(self.features, FeatureExtractor):
            extractor_of(self.features)  # raises UserError if it has no name
        else:
            raise UserError(
                f"Measure(features={self.features!r}): expected a FeatureExtractor, or a name of "
                f"{', '.join(EXTRACTORS)}"
            )

    def own(self) -> dict[str, Measurement]:
        """The user's metrics: name -> measurement."""
        on_features = any(metric.on == "features" for metric in self.metrics)
        space = self.space if on_features else ""
        return {
            m.name: Measurement(m.quantity(), PIXELS if m.on == "pixels" else space)
            for m in self.metrics
        }

    @property
    def space(self) -> str:
        """The name of the feature space."""
        if not isinstance(self.features, str):
            return self.features.name
        return extractor(self.features).name if self.features else SPACE

    def _measures_in(self, space: str) -> bool:
        """Whether ``space`` is the name of the feature space."""
        if not isinstance(self.features, str):
            return space == self.features.name
        return space.startswith(self.features) if self.features else space == SPACE

    def for_games(self, arms: Mapping[str, Recipe]) -> Measure:
        """This measure in a feature space that may judge the games of all ``arms``.

        Raises :class:`UserError` if ``features`` names another one.
        """
        if not self.features:
            judge = judge_of({name for recipe in arms.values() for name in recipe.saw})
            return self if judge == DEFAULT else replace(self, features=judge)
        name = self.features if isinstance(self.features, str) else self.features.name
        for arm, recipe in arms.items():
            if why := why_not(recipe.saw, name):
                raise UserError(
                    f"Measure(features={name!r}): “{arm}” {why}; leave features out, and "
                    f"{judge_of(recipe.saw)} is taken for all arms"
                )
        return self

    @property
    def holes_at(self) -> tuple[float, ...]:
        """The feedback strengths at which holes are filled: few by default, as it is slow."""
        return self.k_fb or K_FB[::2]

    def asked(self) -> Asked:
        """What is asked for, in the form in which predictions are checked."""
        parts: dict[Part, tuple[float, ...] | None] = {"fakes": None}
        if self.k_fb and self.settled_fakes:
            parts["settled"] = self.k_fb
        if self.sigmas:
            parts["coded"] = self.k_fb or None
        parts |= _of_codes(self)
        return Asked("Measure", self.attributes, parts, self.sigmas, self.when)

    def check_features(self, prediction: Prediction) -> None:
        """Raises :class:`UserError` for a prediction about features that are not measured."""
        for scalar in numbers_of(prediction).values():
            on_features = scalar.quantity.name in (*METRICS, SUPPORT)
            if scalar.space and on_features and not self._measures_in(scalar.space):
                space = self.space
                told = self.features if isinstance(self.features, str) else ""
                told = repr(told) if told else f"{type(self.features).__name__}()"
                raise UserError(
                    f"“{prediction.claim()}” can never be measured: Measure(features={told}) takes "
                    f"its numbers in the space {space}; "
                    f"give {scalar.quantity.name}.at(extractor={space!r})"
                )

    def when(self, recipe: Recipe) -> set[int]:
        """After how many epochs done a run of ``recipe`` is measured."""
        found = _within(self.epochs, recipe)
        every = recipe.keep_every_epochs
        return found | set(range(every, recipe.epochs, every)) if self.every_kept else found

    def plain(self) -> Measure:
        """This measure without the user's own metrics and features, so that JSON can store it."""
        features = self.features if isinstance(self.features, str) else ""
        return replace(self, metrics=(), features=features)

    def own_words(self) -> tuple[tuple[str, ...], str]:
        """The names of the user's metrics and of the user's features, for :meth:`with_own`."""
        features = "" if isinstance(self.features, str) else words_for(self.features)
        return tuple(map(words_for, self.metrics)), features

    def with_own(self, metrics: Sequence[str], features: str) -> Measure:
        """This measure with the user's metrics and features of these names added."""
        own = named(features, FeatureExtractor, "--features") if features else self.features
        return replace(self, metrics=tuple(map(metric_named, metrics)), features=own)

    def is_done(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` holds all of this, or says why it is left out."""
        found = [parse(label) for label in evaluation.labels]
        fed_back = {one.k_fb for one in found if one.quantity.name == "KID"}
        settled = not self.settled_fakes or set(self.k_fb) <= fed_back
        noisy = set(self.sigmas) <= {one.sigma for one in found}
        back = not self.decoded or "milliseconds[decoded]" in evaluation.labels
        able = not self.abilities or any(one.quantity.name == "AUROC" for one in found)
        own = all(_is_measured(metric, evaluation) for metric in self.metrics)
        seen = self._are_its_features(evaluation)
        codes = settled and noisy and back and able
        return codes and own and seen and evaluation.fakes == self.fakes

    def _are_its_features(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` has a number in this feature space, or the reason why not.

        The features of a user's extractor must be those of its current source.
        """
        if not self.features:
            return True
        if isinstance(self.features, str):
            spaces = (parse(label).space for label in evaluation.labels)
            return any(space.startswith(self.features) for space in spaces)
        own = extractor_of(self.features)
        there = [value for value in evaluation.values if value.measurement.space == own.name]
        if there:
            return any(value.scale.extractor.startswith(own.spec) for value in there)
        return any(parse(one.label).space == own.name for one in evaluation.left_out)


@dataclass(frozen=True)
class MeasureTranslation:
    """What is measured of every finished translation run, on at most ``pictures`` held-out images.

    See :func:`bascule.translation.evaluation.evaluate_translation`. ``epochs``: as in Measure.
    """

    pictures: int = 300
    attributes: bool = True
    epochs: tuple[int, ...] = ()

    def when(self, recipe: Recipe) -> set[int]:
        """After how many epochs done a run of ``recipe`` is measured."""
        return _within(self.epochs, recipe)

    def asked(self) -> Asked:
        """As :meth:`Measure.asked`."""
        parts: dict[Part, tuple[float, ...] | None] = {"fakes": None, "translations": None}
        return Asked("MeasureTranslation", self.attributes, parts, (), self.when)

    def is_done(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` holds all of this."""
        return evaluation.fakes <= self.pictures


@dataclass(frozen=True)
class MeasureCoding:
    """What is measured of every finished run of SDPC, on ``pictures`` held-out images.

    Measured are costs and sparsity at each ``k_fb``, and how well each layer removes noise of each
    standard deviation in ``sigmas`` (:func:`bascule.sdpc.measure.measure_coding`). ``decoded``:
    also measure how well the images are decoded from their codes
    (:func:`bascule.sdpc.decoding.measure_decoding`). ``abilities``: as in Measure.
    """

    pictures: int = 128
    k_fb: tuple[float, ...] = K_FB
    sigmas: tuple[float, ...] = SIGMAS
    epochs: tuple[int, ...] = ()
    decoded: bool = False
    attributes: bool = False  # of decoded images, if they are built-in faces
    abilities: bool = False

    def when(self, recipe: Recipe) -> set[int]:
        """After how many epochs done a run of ``recipe`` is measured."""
        return _within(self.epochs, recipe)

    @property
    def holes_at(self) -> tuple[float, ...]:
        """The feedback strengths at which holes are filled: few by default, as it is slow."""
        return K_FB[::2] if self.k_fb in ((), K_FB) else self.k_fb

    def asked(self) -> Asked:
        """As :meth:`Measure.asked`."""
        parts: dict[Part, tuple[float, ...] | None] = {"coded": self.k_fb}
        parts |= _of_codes(self)
        return Asked("MeasureCoding", self.attributes, parts, self.sigmas, self.when)

    def is_done(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` holds all of this, or says why it is left out."""
        labels = evaluation.labels
        wanted = {f"cost[{way(k)}]" for k in self.k_fb}
        wanted |= {f"SSIM of layer 1[{way(k, s)}]" for k in self.k_fb for s in self.sigmas}
        wanted |= {"milliseconds[decoded]"} if self.decoded else set()
        able = not self.abilities or any(name.startswith("AUROC of ") for name in labels)
        return able and wanted <= labels


def _of_codes(measure: Measure | MeasureCoding) -> dict[Part, tuple[float, ...] | None]:
    """The parts of an evaluation that any network with codes may have, as in :class:`Asked`."""
    parts: dict[Part, tuple[float, ...] | None] = {}
    if measure.decoded:
        parts["decoded"] = None
    if measure.abilities:
        parts["abilities"] = measure.holes_at
    return parts


def _is_measured(metric: Metric, evaluation: Evaluation) -> bool:
    """Whether ``evaluation`` has the number of a metric's current source, or the reason why not."""
    if any(parse(one.label).quantity.name == metric.name for one in evaluation.left_out):
        return True
    code = f";metric {code_of(metric)}"
    return any(
        value.measurement.quantity.name == metric.name and value.scale.extractor.endswith(code)
        for value in evaluation.values
    )


Measures = Measure | MeasureTranslation | MeasureCoding
# The measures that job files can contain
MEASURES: tuple[type, ...] = (Measure, MeasureTranslation, MeasureCoding)


def _within(epochs: Sequence[int], recipe: Recipe) -> set[int]:
    """The ``epochs`` that a run of ``recipe`` reaches, and its last one."""
    return {epoch for epoch in epochs if epoch <= recipe.epochs} | {recipe.epochs}


@dataclass(frozen=True)
class Experiment:
    """The arms of an experiment, its seeds and predictions, and what is measured.

    ``arms``: name -> recipe, the control first. Each recipe is trained once with each of ``seeds``,
    so all arms share their random draws within a seed. `bascule plan` tells how many are needed.

    ``predictions`` decide the verdict; if ``primary`` names one of them, that one alone does, and
    the others are told beside it. ``checks`` are predictions that must hold if the program is
    correct. ``measure``: what is measured of each finished run; None: nothing. ``pictures``:
    whether notes show images; False if the images may not be published. ``bounds``: arm -> the best
    possible D, drawn with the arm's curves. ``callbacks`` watch every run. The values that they add
    to an epoch's record are drawn and may be predicted. They are not part of a run's identity, so a
    run that finished without them is not trained again. ``track``: the trackers that are told
    of the runs, such as "tensorboard". ``vary``: what varies with the seed beside the training, of
    "split" and "evaluation" (:mod:`bascule.experiments.factors`). ``quick``: the same question at a
    size for a laptop.
    """

    question: str
    hypothesis: str
    arms: Mapping[str, Recipe]
    predictions: Sequence[Prediction]
    checks: Sequence[Prediction] = ()
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    primary: Prediction | None = None
    measure: Measures | None = None
    pictures: bool = True
    bounds: Mapping[str, NoiseBound] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()
    track: Sequence[str] = ()
    remarks: str = ""
    vary: tuple[Factor, ...] = ()
    quick: Experiment | None = None
    name: str = ""
    file: Path | None = None
    user_classes: tuple[type, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.arms:
            raise UserError("an experiment needs at least one arm")
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise UserError(f"seeds={list(self.seeds)}: expected different whole numbers")
        if not self.predictions:
            raise UserError("an experiment needs at least one prediction")
        epochs = {name: recipe.epochs for name, recipe in self.arms.items()}
        scalars = {name for recipe in self.arms.values() for name in recipe.scalars}
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise UserError(
                    f"callbacks={callback!r}: expected values of classes derived from Callback"
                )
            scalars.update(callback.adds)
        if isinstance(self.measure, Measure):
            object.__setattr__(self, "measure", self.measure.for_games(self.arms))
        own = self.measure.own() if isinstance(self.measure, Measure) else {}
        for name in ("predictions", "checks"):
            told = tuple(about(prediction, own) for prediction in getattr(self, name))
            object.__setattr__(self, name, told)
        if self.primary is not None:
            object.__setattr__(self, "primary", about(self.primary, own))
            if self.primary not in self.predictions:
                raise UserError(
                    f"primary: “{self.primary.claim()}” is none of the predictions; "
                    "expected one of them"
                )
        if self.measure is not None:
            check_arms(self.arms, self.measure.asked())
        for prediction in (*self.predictions, *self.checks):
            check(prediction, epochs, scalars, self.measure is not None, own)
            check_judge(prediction, self.arms)
            if self.measure is not None:
                check_obtainable(prediction, self.arms, self.measure.asked())
            if isinstance(self.measure, Measure):
                self.measure.check_features(prediction)
        check_factors(self.vary, self.arms, self.measure is not None)
        games = {arm: recipe for arm, recipe in self.arms.items() if recipe.gan_objective}
        check_bounds(self.bounds, cast(dict[str, GANRecipe], games))

    @property
    def title(self) -> str:
        """Its name without the name of its folder."""
        return self.name.rpartition("/")[2]

    def with_settings(self, settings: Mapping[str, str]) -> Experiment:
        """This experiment with recipe fields of every arm set: dotted field -> text."""
        arms = {n: codec.changed(r, settings, self.user_classes) for n, r in self.arms.items()}
        return replace(self, arms=arms)


def load(path: Path, quick: bool = False) -> Experiment:
    """The ``experiment`` of a Python file, or its quick version.

    Its name is the file's name, after the folder's name if that is a folder of experiments.
    """
    found, name, classes = loaded(path, "experiment", Experiment, quick)
    folder = path.resolve().parent
    if folder.parent.name == FOLDER.name:
        name = f"{folder.name}/{name}"
    for recipe in found.arms.values():
        codec.encode(recipe)  # raises before any training if a run folder cannot store it
        sources(code_in(recipe))
    return replace(found, name=name, file=path, user_classes=classes)


def loaded(
    path: Path, word: str, kind: type[Defined], quick: bool
) -> tuple[Defined, str, tuple[type, ...]]:
    """The value ``word`` of a Python file, or its quick version; its name; the file's classes."""
    module = load_file(path)
    found = getattr(module, word, None)
    if not isinstance(found, kind):
        raise UserError(f"{path} defines no {word}: expected `{word} = {kind.__name__}(...)`")
    name = path.stem.replace("_", "-")
    if quick:
        found, name = getattr(found, "quick", None), f"{name}-quick"
        if not isinstance(found, kind):
            raise UserError(f"{path} has no quick version: give its {kind.__name__} a `quick=`")
    return found, name, classes_of(module)
