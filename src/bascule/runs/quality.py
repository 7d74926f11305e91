"""The quality of a run's fakes while it trains: a short evaluation every few epochs."""

from __future__ import annotations

from collections.abc import Callable

from bascule.core.errors import UserError
from bascule.data.images import ImageSet
from bascule.evaluation.evaluate import look
from bascule.evaluation.evaluation import Evaluation
from bascule.features.extractor import Extractor
from bascule.features.judges import why_not
from bascule.runs.evaluations import keep_evaluation
from bascule.runs.generate import drawn_fakes
from bascule.runs.store import Run
from bascule.training.loop import Callback, Record
from bascule.training.recipe import Recipe

FAKES = 500  # some 3 seconds of two cores at 64 px, with the network that comes with the package


def check_quality(recipe: Recipe, epochs: int) -> None:
    """Raise :class:`UserError` if no run of ``recipe`` can be measured every ``epochs`` epochs."""
    if epochs < 1:
        raise UserError(f"quality every {epochs} epochs: expected at least 1")
    if recipe.evaluates != "fakes":
        raise UserError(
            f"a {type(recipe).__name__} draws no fakes, so their quality cannot be measured"
        )


class QualityEvery(Callback):
    """Compares ``fakes`` of G with held-out images every ``epochs`` epochs, and after the last one.

    The numbers (:func:`~bascule.evaluation.evaluate.look`) are kept with the run's evaluations, and
    ``tell`` is called with each. The run is bit-identical with and without it. Raises
    :class:`UserError` for less than one epoch, for a run that draws no fakes, and for one whose
    game has seen the network of ``extractor``.
    """

    def __init__(
        self,
        run: Run,
        epochs: int,
        images: ImageSet,
        extractor: Extractor,
        fakes: int = FAKES,
        tell: Callable[[Evaluation], None] = lambda found: None,
    ) -> None:
        check_quality(run.recipe, epochs)
        if why := why_not(run.saw, extractor.name):
            raise UserError(f"{run.id} {why}: name another extractor")
        self.run, self.epochs, self.images = run, epochs, images
        self.extractor, self.fakes, self.tell = extractor, fakes, tell

    def on_epoch_end(self, record: Record) -> None:
        done = record.epochs_done
        if done % self.epochs and done != self.run.epochs:
            return
        fakes = drawn_fakes(record.trainer, self.fakes)
        found = look(fakes, self.images, self.extractor, self.run.id, done)
        keep_evaluation(self.run.folder, found)
        self.tell(found)
