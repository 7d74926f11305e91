"""Runs in Python: train, resume, load, fork, draw, measure."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bascule.api.pictures import Pictures
from bascule.api.progress import run_bar
from bascule.core import html
from bascule.core.errors import UserError
from bascule.core.shapes import Shape, square
from bascule.data.images import ImageSet
from bascule.data.imported import Imported
from bascule.data.source import Data, DataSource, PairSource
from bascule.evaluation.evaluation import Evaluation
from bascule.experiments.experiment import Measures
from bascule.features.extractor import Extractor
from bascule.interventions import Intervention
from bascule.metrics.metric import Metric
from bascule.runs.store import Run, Store
from bascule.training.loop import Callback, Row
from bascule.training.recipe import Recipe

Place = str | Path


def store_at(runs: Place | None) -> Store:
    """The folder of runs: ``runs``, or $BASCULE_RUNS, or ``./runs``."""
    return Store(Path(runs or os.environ.get("BASCULE_RUNS", "runs")))


def recipe(name: str, **changes: Any) -> Recipe:
    """The recipe of a preset, of a recipe's .json file, or of ``my_recipe.py``.

    ``changes``: fields with other values, such as ``epochs=5``. Raises :class:`UserError` for an
    unknown name, field or value.
    """
    from bascule.cli.train import preset

    return preset(name).replace(**changes)


def source(data: Any, like: Recipe) -> Data:
    """The image set that ``data`` names, in the size and kind that the recipe ``like`` takes.

    A dataset of PyTorch or Hugging Face is stored first (:func:`store`).
    """
    from bascule.cli.train import named_data, named_sets

    if not isinstance(data, str):
        own = not isinstance(data, DataSource | PairSource) and hasattr(data, "__getitem__")
        return store(data, size=like.data.size) if own else data
    return (named_sets if like.image_sets == 2 else named_data)(data, like.data.size)


@dataclass(frozen=True)
class TrainedRun:
    """A run, and what one does with it. ``run``: its folder.

    In a notebook it shows its state, its last scalars and its newest pictures.
    """

    run: Run

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.run.id

    @property
    def name(self) -> str:
        """The name that was given to it, or made from preset, images and seed."""
        return self.run.name

    @property
    def folder(self) -> Path:
        """Where all its files are."""
        return self.run.folder

    @property
    def recipe(self) -> Recipe:
        """Everything that decides what it computes."""
        return self.run.recipe

    @property
    def state(self) -> str:
        """ "running", "finished", "interrupted" or "failed"."""
        state: str = self.run.status["state"]
        return state

    def rows(self) -> list[Row]:
        """The scalars of every complete epoch, one dictionary an epoch."""
        return self.run.rows()

    def evaluations(self) -> list[Evaluation]:
        """What was measured of it so far, by epoch."""
        from bascule.runs.evaluations import judged

        return judged(self.run)

    def resume(
        self,
        epochs: int | None = None,
        callbacks: Sequence[Callback] = (),
        track: Sequence[str] = (),
    ) -> TrainedRun:
        """Go on where it stopped. ``epochs``: train a longer run that begins with this one."""
        from bascule.runs.fork import lengthened, longer

        if epochs is None:
            return _train(lambda images: self.run, self.run.playable, self._store, callbacks, track)
        changed, at_epoch = longer(self.run, epochs)
        return _train(
            lambda images: lengthened(self._store, self.run, changed, at_epoch),
            changed,
            self._store,
            callbacks,
            track,
        )

    def fork(
        self,
        at_epoch: int,
        *changes: Intervention,
        epochs: int | None = None,
        name: str = "",
        callbacks: Sequence[Callback] = (),
        track: Sequence[str] = (),
        **fields: Any,
    ) -> TrainedRun:
        """Branch off after ``at_epoch`` epochs with a changed rule, and train the rest.

        ``changes``: interventions to add. ``epochs``: after the branch (default: as many as are
        left). ``fields``: other values of the recipe's fields. Raises :class:`UserError` if nothing
        would change, or if a field is one that a fork must keep.
        """
        from bascule.runs import fork as forks

        before = self.run.playable
        added = {"interventions": (*before.interventions, *changes)} if changes else {}
        length = {"epochs": at_epoch + epochs} if epochs else {}
        changed = before.replace(**length, **added, **fields)
        if changed == before:
            raise UserError(
                "the fork would change nothing: give an intervention, epochs or a field"
            )
        told = [*map(repr, changes), *(f"{key}={value!r}" for key, value in fields.items())]
        called = name or forks.name_of_fork(self.run, at_epoch, told, changed)
        return _train(
            lambda images: forks.fork(self._store, self.run, at_epoch, changed, called),
            changed,
            self._store,
            callbacks,
            track,
        )

    def generate(
        self,
        n: int = 16,
        seed: int = 0,
        epoch: int | None = None,
        standing: int = 0,
        label: str | None = None,
        truncation: float | None = None,
    ) -> Pictures:
        """``n`` pictures that its G draws; the same ``seed`` always gives the same pictures.

        ``epoch``: a kept checkpoint (default: the newest). ``standing``: first average the
        statistics of G's batch normalisation over so many batches of 250 latents. ``label``: draw
        this value of the label that G was told alone. ``truncation``: draw from the middle of the
        latents; every number of z has |z| < truncation, or w of a StyleGAN2 is moved to its mean,
        mean + truncation (w - mean). Raises :class:`UserError` if it has no G that draws from
        latents, and for an unknown label.
        """
        from bascule.runs.generate import class_of, generate, label_values

        if n < 1:
            raise UserError(f"n={n}: expected at least 1 picture")
        images = _trained_on(self.run)
        told_class = None
        if label is not None:
            told_class = class_of(label, self.run, label_values(self.run.recipe, images))
        drawn = generate(
            *(self.run, n, epoch, seed),
            standing=standing,
            label=told_class,
            truncation=truncation,
        )
        told = f"{n} pictures of {self.name} after {drawn.epoch} epochs, seed {seed}"
        told += f", label {label}" if label is not None else ""
        told += f", truncation {truncation:g}" if truncation is not None else ""
        return Pictures(drawn.pictures, told, images.credit if images else "")

    def evaluate(
        self,
        n: int = 5000,
        epoch: int | None = None,
        metrics: Sequence[Metric] = (),
        features: Sequence[str | Extractor] = (),
        seed: int = 0,
        standing: int = 0,
        attributes: bool = True,
    ) -> Evaluation:
        """Measure it, keep the numbers in its folder and its note, and return them.

        ``n``: fakes, or pictures for a run of translation or of SDPC. ``metrics`` and ``features``:
        your own, or names of extractors. ``attributes``: also read the attributes of faces. Every
        number has its floor beside it: what held-out real images get.
        """
        from bascule.cli.train import load_images
        from bascule.experiments.experiment import Measure, MeasureCoding, MeasureTranslation
        from bascule.experiments.measuring import Means, check_measure, measure_run
        from bascule.reports.run_note import write_run_note
        from bascule.runs.evaluations import keep_with_picture

        if n < 2:
            raise UserError(f"n={n}: expected at least 2 fakes")
        kinds: dict[str, Callable[[], Measures]] = {
            "fakes": lambda: Measure(n, attributes),
            "codes": lambda: MeasureCoding(n, attributes=attributes),
            "translations": lambda: MeasureTranslation(n, attributes),
        }
        measure = kinds[self.recipe.evaluates]()
        check_measure(self.run, measure)
        images = load_images(self.run.playable.data)
        means = Means(tuple(features), tuple(metrics), standing, seed)
        found, picture = measure_run(self.run, images, measure, epoch, means)
        keep_with_picture(self.folder, found, picture)
        write_run_note(self.run, images.credit)
        return found

    @property
    def _store(self) -> Store:
        return Store(self.folder.parent)

    def __repr__(self) -> str:
        done = len(self.run.rows())
        return f"<run {self.id}: {self.state}, {done} of {self.run.epochs} epochs>"

    def _repr_html_(self) -> str:
        from bascule.data.decoding import own_picture

        rows, epochs = self.rows(), self.run.epochs
        told = f"{self.state}, {len(rows)} of {epochs} epochs, in {self.folder}"
        last = {name: rows[-1][name] for name in self.recipe.scalars if rows and name in rows[-1]}
        parts = [html.heading(self.name), html.lines(told)]
        if last:
            cells = [f"{value:.3g}" for value in last.values()]
            parts.append(html.table([f"{name}, last epoch" for name in last], [cells]))
        drawn = [e for e in range(len(rows), 0, -1) if self.run.sample(e).exists()][:1]
        for epoch in drawn:
            with own_picture(self.run.sample(epoch)) as shown:
                parts.append(html.picture(shown, f"{self.name} after {epoch} epochs"))
            parts.append(html.lines(f"After {epoch} epochs: {self.recipe.sample_caption}."))
            images = _trained_on(self.run)
            parts.append(html.lines(images.credit if images else ""))
        return "".join(parts)


def train(
    recipe: Recipe | str,
    *,
    data: str | Data | None = None,
    name: str = "",
    runs: Place | None = None,
    callbacks: Sequence[Callback] = (),
    track: Sequence[str] = (),
    **changes: Any,
) -> TrainedRun:
    """Train a recipe, or a preset by its name; a finished run of it is found and not trained again.

    ``data``: another image set, or its name. ``name``: of the run. ``runs``: the folder of runs
    (default: $BASCULE_RUNS, or ./runs). ``track``: names of trackers, such as ("tensorboard",).
    ``changes``: fields with other values, such as ``epochs=5``. An interrupt saves a checkpoint,
    and the same call goes on from there.

    Raises :class:`UserError` for a bad value, and KeyboardInterrupt after it has saved.
    """
    from bascule.cli.train import preset
    from bascule.training.hardware import resolve_auto

    known = preset(recipe) if isinstance(recipe, str) else recipe
    called = Path(recipe).stem if isinstance(recipe, str) else type(known.model).__name__
    if data is not None:
        changes["data"] = source(data, known)
    settled = resolve_auto(known.replace(**changes))
    store = store_at(runs)

    def create(images: ImageSet) -> Run:
        made = name or f"{called} {images.name} s{settled.seed}"
        return store.create(settled, made, images.digest)

    return _train(create, settled, store, callbacks, track)


def load(run: str, runs: Place | None = None) -> TrainedRun:
    """The run with this id, name, path, or a part of one that no other run has."""
    return TrainedRun(store_at(runs).find(str(run)))


def all_runs(runs: Place | None = None) -> list[TrainedRun]:
    """All readable runs of a folder, oldest first."""
    return [TrainedRun(run) for run in store_at(runs).runs()]


def store(
    dataset: Any, name: str | None = None, size: int | tuple[int, int, int] = 64, credit: str = ""
) -> Imported:
    """Keep a dataset of PyTorch or Hugging Face as an image set, and return it for recipes.

    name    its name, to which a digest of the content is added; so equal content is stored once, a
            recipe says what it was trained on, and runs resume (default: that of the class)
    size    the side in pixels, or channels (1, 3 or 4), height and width
    credit  licence and credit lines, for every picture that is made of it

    Items are pictures, tuples (picture, label), or rows with a column ``image``; see
    :mod:`bascule.data.items`. Raises :class:`UserError` for other items.
    """
    from bascule.data.dataset import name_of
    from bascule.data.imported import store_dataset

    shape = square(size) if isinstance(size, int) else Shape(*size)
    return store_dataset(dataset, name or name_of(dataset), shape, credit)


def images(data: str | Data, size: int = 64) -> ImageSet:
    """An image set: "faces", "fractals", an imported one by its name, or a data source.

    ``size``: the side in pixels, where ``data`` is a name. In a notebook it shows some of them.
    """
    from bascule.cli.train import load_images, named_data

    return load_images(named_data(data, size) if isinstance(data, str) else data)


def _train(
    create: Callable[[ImageSet], Run],
    recipe: Recipe,
    store: Store,
    callbacks: Sequence[Callback],
    track: Sequence[str],
) -> TrainedRun:
    """Train the run that ``create`` makes or finds, and write its note."""
    from bascule.cli.train import load
    from bascule.reports.run_note import write_run_note
    from bascule.runs.execute import execute
    from bascule.runs.own import tracker_named

    trackers = list(map(tracker_named, track))
    images = load(recipe)
    run = create(images)
    with run_bar(run, images) as bar:
        state = execute(run, store, (*callbacks, bar), images, trackers=trackers)
    write_run_note(run, images.credit, [store.find(run.fork.parent)] if run.fork else [])
    if state == "interrupted":
        raise KeyboardInterrupt(f"{run.id} is saved: the same call goes on with it")
    return TrainedRun(run)


def _trained_on(run: Run) -> ImageSet | None:
    """The images that a run was trained on; None if they are not here."""
    from bascule.cli.train import load_images

    try:
        return load_images(run.playable.data)
    except UserError:
        return None
