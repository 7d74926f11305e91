"""Measure a run, for an experiment or for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image

from bascule.attributes.classifier import classifier, style_of
from bascule.attributes.reading import AttributeClassifier
from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.data.images import ImageSet, Progress
from bascule.evaluation.evaluate import Counter, check_fakes, evaluate, value_of
from bascule.evaluation.evaluation import Evaluation, LeftOut, Price
from bascule.experiments.experiment import (
    Measure,
    MeasureCoding,
    Measures,
    MeasureTranslation,
)
from bascule.experiments.factors import own_split
from bascule.features.extractor import Extractor
from bascule.features.extractors import DEFAULT, extractor
from bascule.features.judges import judge_of, why_not
from bascule.metrics.measurement import parse
from bascule.metrics.metric import Measured, Metric
from bascule.runs.execute import check_data
from bascule.runs.generate import generate, judged_by
from bascule.runs.own import extractor_of
from bascule.runs.store import Run
from bascule.sdpc import abilities
from bascule.sdpc.coder import Coder
from bascule.sdpc.decoding import measure_decoding
from bascule.sdpc.load import coder_of
from bascule.sdpc.measure import measure_coding
from bascule.sdpc.settling import measure_settled
from bascule.translation.attributes import PairReader, pair_reader
from bascule.translation.domains import TwoSets
from bascule.translation.evaluation import Kinds, evaluate_translation
from bascule.translation.pairs import CartoonPair
from bascule.translation.translate import ways_of

KINDS: Mapping[str, type] = {
    "fakes": Measure,
    "codes": MeasureCoding,
    "translations": MeasureTranslation,
}
Found = dict[str, Measured | str]  # by label; a text is the reason for a missing number


@contextmanager
def silent(what: str) -> Iterator[Progress]:
    """A progress counter without output."""
    yield lambda done, of: None


@dataclass(frozen=True)
class Means:
    """The means of measuring a run.

    ``extractors``: feature extractors or their names; translations use only the first. Empty: the
    default one, or the next best if the game was trained through that. ``metrics``:
    the user's metrics. ``standing``: the number of batches of latents over which G's BatchNorm
    recomputes its statistics first. ``seed``: of the latents and subsets. ``counter``: reports the
    progress.
    """

    extractors: tuple[str | Extractor, ...] = ()
    metrics: tuple[Metric, ...] = ()
    standing: int = 0
    seed: int = 0
    counter: Counter = silent

    @cached_property
    def spaces(self) -> list[Extractor]:
        every = dict.fromkeys(self.extractors or (DEFAULT,))
        return [extractor(each) if isinstance(each, str) else each for each in every]

    def also(self, measure: Measures) -> Means:
        """These means with the metrics and features that ``measure`` names added."""
        if not isinstance(measure, Measure):
            return self
        features, extractors = measure.features, self.extractors
        if features:
            extractors = (features if isinstance(features, str) else extractor_of(features),)
        return replace(self, extractors=extractors, metrics=(*self.metrics, *measure.metrics))

    def judging(self, run: Run) -> Means:
        """These means with extractors that may judge the game of ``run``.

        Raises :class:`UserError` if an extractor that was asked for may not.
        """
        for each in self.extractors:
            if why := why_not(run.saw, each if isinstance(each, str) else each.name):
                raise UserError(f"{run.id} {why}; use {judge_of(run.saw)}, or exact attributes")
        return self if self.extractors else replace(self, extractors=(judge_of(run.saw),))


def measure_run(
    run: Run, images: ImageSet, measure: Measures, epoch: int | None = None, means: Means = Means()
) -> tuple[Evaluation, Image.Image | None]:
    """Measure a run on ``images``, the images of its recipe, as ``measure`` says.

    ``epoch``: a kept checkpoint; None: the newest. Returns the evaluation, and an image of fakes
    next to their nearest neighbours or of translations, or None. Raises :class:`UserError` if the
    run shows D the held-out images, if ``measure`` is for another kind of run, or if its game was
    trained through a feature extractor that is to judge it.
    """
    check_measure(run, measure)
    check_data(run, images)
    means = means.also(measure).judging(run)
    if isinstance(measure, MeasureCoding):
        return _coding(run, images, measure, epoch, means), None
    if isinstance(measure, MeasureTranslation):
        return _translation(run, images, measure, epoch, means)
    with means.counter("drawing the fakes") as tell:
        fakes = generate(run, measure.fakes, epoch, means.seed, tell, means.standing)
    told = (run.id, fakes.epoch, measure.attributes, means)
    found, picture = measure_fakes(fakes.pictures, images, *told)
    found = replace(found, price=Price(run.playable.evaluations, fakes.ms))
    if of_codes(measure):
        codes = _through_codes(run, images, fakes.pictures, measure, epoch, means)
        found = _with_codes(found, codes, images, means.seed)
    return found, picture


def of_codes(measure: Measure) -> bool:
    """Whether ``measure`` needs dictionaries."""
    return bool(measure.k_fb or measure.sigmas or measure.decoded or measure.abilities)


def check_measure(run: Run, measure: Measures) -> None:
    """Raises :class:`UserError` if ``measure`` does not apply to this run."""
    if run.playable.uses_held_out():
        raise UserError(f"{run.id} shows D the held-out images, so none is left to measure with")
    recipe = run.recipe
    if isinstance(measure, Measure) and of_codes(measure) and not recipe.code_layers:
        raise UserError(
            f"--k-fb, --sigma, --decoded and --abilities are for SDPC, and {run.id} is no run of it"
        )
    kind = KINDS[recipe.evaluates]
    if type(measure) is not kind:
        raise UserError(
            f"{run.id} is a run of {type(recipe).__name__}: expected {kind.__name__}(...), "
            f"not {type(measure).__name__}(...)"
        )


def measure_fakes(
    fakes: np.ndarray,
    images: ImageSet,
    subject: str,
    epoch: int | None,
    attributes: bool,
    means: Means,
) -> tuple[Evaluation, Image.Image]:
    """Measure fakes, uint8 (N, 3, H, W), from any source."""
    spaces = means.spaces  # errors come first, before an attribute reader is trained for minutes
    check_fakes(fakes, images)
    reader = classifier_of(images, means.counter) if attributes else None
    also, told = means.metrics, (subject, epoch, means.seed)
    labels = attributes and reader is None
    return evaluate(fakes, images, spaces, means.counter, reader, *told, also, labels)


def _coding(
    run: Run, images: ImageSet, measure: MeasureCoding, epoch: int | None, means: Means
) -> Evaluation:
    """Measure a run of SDPC on held-out images."""
    coder = coder_of(run, epoch)
    pictures = images.pixels[images.indices("held_out")][: measure.pictures]
    with means.counter("settling on held-out pictures") as tell:
        found: Found = {
            **measure_coding(coder, pictures, measure.k_fb, measure.sigmas, means.seed, tell)
        }
    if measure.decoded:
        found |= _decoded(coder, images, measure.pictures, measure.attributes, means)
    if measure.abilities:
        told = (measure.holes_at, measure.attributes, means)
        found |= _abilities(coder, images, measure.pictures, *told)
    done = coder.state.epoch if coder.state else 0
    evaluation = Evaluation(run.id, done, len(pictures), images.name, (), seed=means.seed)
    return _with_codes(evaluation, found, images, means.seed)


def _with_codes(evaluation: Evaluation, found: Found, images: ImageSet, seed: int) -> Evaluation:
    """``evaluation`` with ``found``, label -> number measured with dictionaries."""
    space = f"SDPC codes, seed {seed}"
    values = [
        value_of(label, space, images, measured, parse(label).quantity.better or "lower")
        for label, measured in found.items()
        if not isinstance(measured, str)
    ]
    left_out = [LeftOut(label, why) for label, why in found.items() if isinstance(why, str)]
    return evaluation.with_more(values, left_out)


def _through_codes(
    run: Run,
    images: ImageSet,
    fakes: np.ndarray,
    measure: Measure,
    epoch: int | None,
    means: Means,
) -> Found:
    """Measure the codes of a hybrid.

    These are its fakes settled at each ``k_fb``, held-out images decoded from their codes, and
    denoising at each of ``sigmas``.
    """
    found: Found = {}
    coder = coder_of(run, epoch)
    if measure.k_fb and measure.settled_fakes:
        reader = classifier_of(images, means.counter) if measure.attributes else None
        with means.counter("settling the fakes") as tell:
            found |= measure_settled(
                coder, fakes, images, means.spaces[0], measure.k_fb, reader, means.seed, tell
            )
    if measure.sigmas:
        pictures = images.pixels[images.indices("held_out")][: measure.fakes]
        ways = measure.k_fb or (coder.recipe.settle.k_fb,)
        with means.counter("settling on held-out pictures") as tell:
            found |= measure_coding(coder, pictures, ways, measure.sigmas, means.seed, tell)
    if measure.decoded:
        found |= _decoded(coder, images, measure.fakes, measure.attributes, means)
    if measure.abilities:
        told = (measure.fakes, measure.holes_at, measure.attributes, means, run, epoch)
        found |= _abilities(coder, images, *told)
    return found


def _decoded(coder: Coder, images: ImageSet, n: int, attributes: bool, means: Means) -> Found:
    """Measure the images decoded from the codes of ``n`` held-out images."""
    reader = classifier_of(images, means.counter) if attributes else None
    with means.counter("decoding held-out pictures") as tell:
        space = means.spaces[0]
        return dict(measure_decoding(coder, images, n, space, reader, means.seed, tell))


def _abilities(
    coder: Coder,
    images: ImageSet,
    n: int,
    k_fb: tuple[float, ...],
    attributes: bool,
    means: Means,
    run: Run | None = None,
    epoch: int | None = None,
) -> Found:
    """Measure the abilities of codes; for a hybrid's ``run`` also how its D scores foreign images.

    ``k_fb``: feedback strengths for filling holes.
    """
    n = min(n, abilities.PICTURES)
    scores = {"codes": abilities.cost(coder)}
    if run is not None:
        scores["D"] = judged_by(run, epoch)
    found: Found = {}
    found |= abilities.measure_foreign(scores, images, n, means.seed)
    with means.counter("filling holes") as tell:
        found |= abilities.measure_inpainting(coder, images, n, k_fb, tell)
    reader = classifier_of(images, means.counter) if attributes else None
    if reader is not None:
        found |= abilities.measure_editing(coder, images, n, reader)
    return found


def _translation(
    run: Run, images: ImageSet, measure: MeasureTranslation, epoch: int | None, means: Means
) -> tuple[Evaluation, Image.Image]:
    """Measure a run's translations of held-out images."""
    kinds = Kinds.of(images, measure.pictures, getattr(run.recipe.data, "has_truth", False))
    reader = reader_of(run.recipe.data, images, means.counter) if measure.attributes else None
    ways = ways_of(run, epoch)
    return evaluate_translation(
        kinds,
        ways.there.floats,
        ways.back.floats if ways.back else None,
        means.spaces[0],
        means.counter,
        reader if isinstance(reader, PairReader) else None,
        reader if isinstance(reader, AttributeClassifier) else None,
        run.id,
        ways.epoch,
        means.seed,
        means.metrics,
    )


def classifier_of(images: ImageSet, counter: Counter = silent) -> AttributeClassifier | None:
    """The attribute classifier for ``images``; None unless they are built-in faces."""
    reader = reader_of(None, images, counter)
    assert reader is None or isinstance(reader, AttributeClassifier)
    return reader


def reader_of(
    data: object, images: ImageSet, counter: Counter = silent
) -> AttributeClassifier | PairReader | None:
    """The attribute reader for ``images``, or for the second set of a pair; trained if not cached.

    None for images that no reader here supports.
    """
    pair = own_split(data) if isinstance(data, TwoSets) else None
    second = pair.b if isinstance(pair, TwoSets) else None
    style = second.style if isinstance(second, Faces) else style_of(images)
    if not style and not isinstance(data, CartoonPair):
        return None
    with counter(f"learning to read the attributes of {style or 'a pair'} (once)") as tell:
        if style:
            return classifier(style, images.size, tell)
        return pair_reader("b", images.size, tell)
