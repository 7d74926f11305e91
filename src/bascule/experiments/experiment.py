"""An experiment: one question, its arms, and what its author predicts before seeing results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

from bascule.core.errors import UserError, unknown
from bascule.core.user_code import classes_of, code_in, code_of, load_file, sources
from bascule.evaluation.evaluate import PIXELS
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.bounds import NoiseBound, check_bounds
from bascule.experiments.files import FOLDER
from bascule.experiments.predictions import SPACE, Prediction, about, check, numbers_of
from bascule.features.extractor import FeatureExtractor
from bascule.features.extractors import EXTRACTORS, extractor
from bascule.gan.recipe import GANRecipe
from bascule.metrics import Metric
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

    ``attributes``: the exact attributes of built-in faces too; they are learnt once, in minutes.
    ``epochs``: after how many epochs done, each kept by the recipe; empty: at the end alone.
    ``every_kept``: after as many epochs as the recipe keeps checkpoints at its pace, too.

    ``metrics``: of the user's own (:class:`bascule.metrics.Metric`), each a class or a value of it.
    ``features``: what sees the images: the name of an extractor, or one of the user's own
    (:class:`bascule.features.FeatureExtractor`); empty: the default one. A prediction about such a
    number says so: ``KID.at(extractor=Mine())``.

    Of hybrids of GAN and SDPC alone: at each ``k_fb`` what fakes become when they settle, unless
    ``settled_fakes`` is False (:func:`bascule.sdpc.settling.measure_settled`, which takes longer
    than all the rest), and what codes make of noise of each of ``sigmas``; where ``decoded``, how
    well held-out pictures come back from codes; and the ``abilities`` of codes
    (:mod:`bascule.sdpc.abilities`).
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
                    f"Measure(metrics=...): {metric!r} is no Metric; derive it from one"
                )
            check_own(metric)
        if isinstance(self.features, str):
            if self.features and self.features not in EXTRACTORS:
                raise unknown("extractor", self.features, EXTRACTORS)
        elif isinstance(self.features, FeatureExtractor):
            extractor_of(self.features)  # refuses one without a name
        else:
            raise UserError(
                f"Measure(features={self.features!r}): expected a FeatureExtractor, or a name of "
                f"{', '.join(EXTRACTORS)}"
            )

    def own(self) -> dict[str, Measurement]:
        """The user's metrics by name, as they are measured."""
        on_features = any(metric.on == "features" for metric in self.metrics)
        space = self._space() if on_features else ""
        return {
            m.name: Measurement(m.quantity(), PIXELS if m.on == "pixels" else space)
            for m in self.metrics
        }

    def _space(self) -> str:
        """The name of the features."""
        if not isinstance(self.features, str):
            return self.features.name
        return extractor(self.features).name if self.features else SPACE

    def check_features(self, prediction: Prediction) -> None:
        """Refuse a prediction about features that are not measured."""
        for scalar in numbers_of(prediction).values():
            if scalar.space == SPACE and (space := self._space()) != SPACE:
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
        """Without what is the user's own: what a file can hold."""
        features = self.features if isinstance(self.features, str) else ""
        return replace(self, metrics=(), features=features)

    def own_words(self) -> tuple[tuple[str, ...], str]:
        """What names the user's metrics, and features, for :meth:`with_own`."""
        features = "" if isinstance(self.features, str) else words_for(self.features)
        return tuple(map(words_for, self.metrics)), features

    def with_own(self, metrics: Sequence[str], features: str) -> Measure:
        """With the user's metrics and features that these words name."""
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
        """Whether ``evaluation`` has a number of the features that are asked for, or says why not.

        Of the user's own, as their source is now.
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
    """What is measured of every finished run of translation, on at most ``pictures`` held-out ones.

    :func:`bascule.translation.evaluation.evaluate_translation`. ``epochs``: as in Measure.
    """

    pictures: int = 300
    attributes: bool = True
    epochs: tuple[int, ...] = ()

    def when(self, recipe: Recipe) -> set[int]:
        """After how many epochs done a run of ``recipe`` is measured."""
        return _within(self.epochs, recipe)

    def is_done(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` holds all of this."""
        return evaluation.fakes <= self.pictures


@dataclass(frozen=True)
class MeasureCoding:
    """What is measured of every finished run of SDPC, on ``pictures`` held-out ones.

    Costs and sparsity at each ``k_fb``, and what each layer makes of noise of each of ``sigmas``:
    :func:`bascule.sdpc.measure.measure_coding`. ``decoded``: how well the pictures come back from
    their codes, too (:func:`bascule.sdpc.decoding.measure_decoding`). ``abilities``: as in
    Measure.
    """

    pictures: int = 128
    k_fb: tuple[float, ...] = K_FB
    sigmas: tuple[float, ...] = SIGMAS
    epochs: tuple[int, ...] = ()
    decoded: bool = False
    attributes: bool = False  # of what is decoded, where it is built-in faces
    abilities: bool = False

    def when(self, recipe: Recipe) -> set[int]:
        """After how many epochs done a run of ``recipe`` is measured."""
        return _within(self.epochs, recipe)

    def is_done(self, evaluation: Evaluation) -> bool:
        """Whether ``evaluation`` holds all of this, or says why it is left out."""
        labels = evaluation.labels
        wanted = {f"cost[{way(k)}]" for k in self.k_fb}
        wanted |= {f"SSIM of layer 1[{way(k, s)}]" for k in self.k_fb for s in self.sigmas}
        wanted |= {"milliseconds[decoded]"} if self.decoded else set()
        able = not self.abilities or any(name.startswith("AUROC of ") for name in labels)
        return able and wanted <= labels


def _is_measured(metric: Metric, evaluation: Evaluation) -> bool:
    """Whether ``evaluation`` has the number of a metric as its source is now, or says why not."""
    if any(parse(one.label).quantity.name == metric.name for one in evaluation.left_out):
        return True
    code = f";metric {code_of(metric)}"
    return any(
        value.measurement.quantity.name == metric.name and value.scale.extractor.endswith(code)
        for value in evaluation.values
    )


Measures = Measure | MeasureTranslation | MeasureCoding
MEASURES: tuple[type, ...] = (Measure, MeasureTranslation, MeasureCoding)  # of files of jobs


def _within(epochs: Sequence[int], recipe: Recipe) -> set[int]:
    """Those of ``epochs`` that a run of ``recipe`` reaches, and its end."""
    return {epoch for epoch in epochs if epoch <= recipe.epochs} | {recipe.epochs}


@dataclass(frozen=True)
class Experiment:
    """``arms``: name -> recipe, the control first. The seed of a recipe is replaced by each of
    ``seeds``, so that all arms of a seed share every draw.

    ``predictions`` decide the verdict; ``checks`` are predictions that must hold if the program
    is right. ``measure``: what is measured of the runs' fakes, None for nothing. ``pictures``:
    whether notes show them (not where the images may not be published). ``bounds``: what no D of
    an arm can beat, drawn beside its curves. ``callbacks`` watch every run, and what they add to an
    epoch's record is drawn, and may be predicted; they are no part of what a run is, so a run that
    was finished without them is not trained again. ``tensorboard``: runs write TensorBoard events,
    too. ``quick`` is the same question at a size for a laptop.
    """

    question: str
    hypothesis: str
    arms: Mapping[str, Recipe]
    predictions: Sequence[Prediction]
    checks: Sequence[Prediction] = ()
    seeds: Sequence[int] = (0, 1, 2)
    measure: Measures | None = None
    pictures: bool = True
    bounds: Mapping[str, NoiseBound] = field(default_factory=dict)
    callbacks: Sequence[Callback] = ()
    tensorboard: bool = False
    remarks: str = ""
    quick: Experiment | None = None
    name: str = ""
    file: Path | None = None
    brought: tuple[type, ...] = field(default=(), repr=False)

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
        own = self.measure.own() if isinstance(self.measure, Measure) else {}
        for name in ("predictions", "checks"):
            told = tuple(about(prediction, own) for prediction in getattr(self, name))
            object.__setattr__(self, name, told)
        for prediction in (*self.predictions, *self.checks):
            check(prediction, epochs, scalars, self.measure is not None, own)
            if isinstance(self.measure, Measure):
                self.measure.check_features(prediction)
        games = {arm: recipe for arm, recipe in self.arms.items() if recipe.gan_objective}
        check_bounds(self.bounds, cast(dict[str, GANRecipe], games))

    @property
    def title(self) -> str:
        """Its name without that of its folder."""
        return self.name.rpartition("/")[2]

    def with_settings(self, settings: Mapping[str, str]) -> Experiment:
        """Every arm with some recipe fields set, as the command line says them."""
        arms = {n: codec.changed(r, settings, self.brought) for n, r in self.arms.items()}
        return replace(self, arms=arms)


def load(path: Path, quick: bool = False) -> Experiment:
    """The ``experiment`` of a Python file, or its quick version.

    Its name is that of the file, with its folder where that is a folder of experiments.
    """
    found, name, brought = loaded(path, "experiment", Experiment, quick)
    folder = path.resolve().parent
    if folder.parent.name == FOLDER.name:
        name = f"{folder.name}/{name}"
    for recipe in found.arms.values():
        codec.encode(recipe)  # refuses what no run folder can keep, before anything is trained
        sources(code_in(recipe))
    return replace(found, name=name, file=path, brought=brought)


def loaded(
    path: Path, word: str, kind: type[Defined], quick: bool
) -> tuple[Defined, str, tuple[type, ...]]:
    """What a Python file calls ``word``, or its quick version; its name; the classes it knows."""
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
