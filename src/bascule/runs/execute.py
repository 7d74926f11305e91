"""Train one run in this process, from its latest checkpoint to its last epoch."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import torch

from bascule.core.distributed import ProcessGroup
from bascule.core.errors import UserError, lacks_memory
from bascule.data.images import ImageSet, ImageSubset
from bascule.diagnostics.callback import Diagnostics
from bascule.gan.recipe import GANRecipe
from bascule.runs.store import Run, Store
from bascule.runs.tracked import Tracked
from bascule.tracking.tracker import Tracker
from bascule.training.callbacks import SampleGrids
from bascule.training.hardware import check_device, deterministic
from bascule.training.loop import Callback, Record, Row, Stopped, train
from bascule.training.recipe import Recipe
from bascule.training.state import State, begin

SAVE_EVERY_S = 30.0  # a killed run loses at most this much, and the unfinished epoch
SHOW_EVERY_S = 1.0  # an epoch's scalars are in the folder that soon after its end
ASK_EVERY_S = 0.2  # whether another process asked for a stop
# Of nested stop_signals, outermost first; each of them receives every signal.
_questions: list[list[int]] = []


class Checkpointer(Callback):
    """Saves a run's scalars and checkpoints, from which it can resume.

    Scalars are written before the checkpoint, so a checkpoint is never ahead of them.
    """

    def __init__(self, run: Run, branches: Iterable[int] = ()) -> None:
        """``branches``: epochs whose checkpoints are kept, because other runs fork from them."""
        self.run = run
        self.rows: list[Row] = []
        self.diagnosed: list[Row] = []
        # The first epoch is saved at once.
        self.saved_at = self.shown_at = self.ended_at = -SAVE_EVERY_S
        recipe = run.playable
        self.keep = {change.first_epoch() for change in recipe.interventions}
        self.keep |= {*range(0, recipe.epochs, recipe.keep_every_epochs), recipe.epochs, *branches}
        if run.fork:
            self.keep.add(run.fork.epoch)

    def on_epoch_end(self, record: Record) -> None:
        self.rows.append(record.row)
        now = time.monotonic()
        next_at, self.ended_at = now + (now - self.ended_at), now  # if the next takes as long
        if next_at - self.shown_at > SHOW_EVERY_S:
            self._write()
            self.shown_at = now

    def save(self, state: State) -> None:
        """Save the checkpoint of an epoch that is kept, and every SAVE_EVERY_S the last one."""
        if state.epoch in self.keep:
            self.save_now(state, state.epoch)
        elif time.monotonic() - self.saved_at > SAVE_EVERY_S:
            self.save_now(state)

    def save_now(self, state: State, keep_as: int | None = None) -> None:
        self._write()
        self.run.save_checkpoint(state.state_dict(), keep_as)
        self.saved_at = time.monotonic()

    def _write(self) -> None:
        self.run.set_rows(self.rows)
        self.run.set_diagnostics(self.diagnosed)


def execute(
    run: Run,
    store: Store,
    callbacks: tuple[Callback, ...] = (),
    images: ImageSet | None = None,
    must_stop: Callable[[], bool] = lambda: False,
    branches: Iterable[int] = (),
    group: ProcessGroup | None = None,
    trackers: Sequence[Tracker] = (),
) -> str:
    """Train ``run`` to its last epoch; returns "finished" or "interrupted".

    ``images``: the images of its recipe, if they are loaded already. ``branches``: epochs whose
    checkpoints are kept for forks. ``group``: the process group that trains the run; every process
    calls this function, and only the first one writes. ``callbacks`` may add to an epoch's record
    before it is saved. ``trackers`` are told of it, each for this run alone. A finished run is not
    changed.
    SIGINT, SIGTERM, ``must_stop()`` and :meth:`Run.ask_to_stop` stop it between two steps and save
    a checkpoint of that step. Raises :class:`UserError` for bad data, a full disk or a loss that is
    not finite; the last good checkpoint is kept.
    """
    check_process_group(run, group)
    if group and not group.is_main:
        return _follow(run, store, images, must_stop, group)
    with run.lock():
        if run.status["state"] == "finished":
            return "finished"
        run.forget_stop()
        recipe = run.playable
        try:
            check_device(recipe.device)
        except UserError as refusal:
            raise UserError(f"{run.id}: {refusal}, with `bascule fork` of this run") from None
        if images is None:
            images = recipe.data.load()
        check_data(run, images)
        checkpointer = Checkpointer(run, branches)
        saved = _newest_checkpoint(run)
        epochs_done = saved["epoch"] if saved else 0
        checkpointer.rows = run.rows_until(epochs_done)
        checkpointer.diagnosed = [row for row in run.diagnostics() if row["epoch"] < epochs_done]
        watchers: list[Callback] = [
            *callbacks,
            checkpointer,
            SampleGrids(recipe, run.sample, run.shown),
        ]
        run.set_status("running")
        tracked = [Tracked(tracker, run, epochs_done) for tracker in trackers]
        watchers += tracked
        ended = "failed"
        try:
            asked = _asked(run, must_stop)
            _play(run, store, images, saved, asked, group, watchers, checkpointer)
        except _StoppedAt as stopped:
            checkpointer.save_now(stopped.state)
            run.set_status("interrupted", epoch=stopped.state.epoch)
            ended = "interrupted"
            return ended
        except UserError as refusal:
            try_status(run, "failed", message=str(refusal), epoch=len(checkpointer.rows))
            raise
        except BaseException as error:
            try_status(run, "failed", message=f"{type(error).__name__}: {error}")
            raise
        else:
            run.set_status("finished", epoch=len(checkpointer.rows))
            ended = "finished"
            return ended
        finally:
            for each in tracked:
                each.end(ended)


def _asked(run: Run, must_stop: Callable[[], bool]) -> Callable[[], bool]:
    """``must_stop``, or whether another process asked for a stop; the file is seldom looked for."""
    looked_at = time.monotonic()

    def asked() -> bool:
        nonlocal looked_at
        if must_stop():
            return True
        if time.monotonic() - looked_at < ASK_EVERY_S:
            return False
        looked_at = time.monotonic()
        return run.is_asked_to_stop()

    return asked


def _follow(
    run: Run,
    store: Store,
    images: ImageSet | None,
    must_stop: Callable[[], bool],
    group: ProcessGroup,
) -> str:
    """Train a run whose files another process writes."""
    if run.status["state"] == "finished":
        return "finished"
    try:
        saved = _newest_checkpoint(run)
        _play(run, store, images or run.playable.data.load(), saved, must_stop, group)
    except _StoppedAt:
        return "interrupted"
    return "finished"


class _StoppedAt(Exception):
    def __init__(self, state: State) -> None:
        self.state = state


def _play(
    run: Run,
    store: Store,
    images: ImageSet,
    saved: dict[str, Any] | None,
    must_stop: Callable[[], bool],
    group: ProcessGroup | None,
    watchers: Sequence[Callback] = (),
    checkpointer: Checkpointer | None = None,
) -> None:
    """Train from ``saved`` to the end. Raises :class:`_StoppedAt` when a stop is requested."""
    pixels, held_out = images.subset("train"), images.subset("held_out")
    with stop_signals(patient=group is not None) as stopped:

        def stop() -> bool:
            asked = stopped() or must_stop()
            return group.any(asked) if group else asked

        for rule, until in _rules(run, store, saved["epoch"] if saved else 0):
            torch.set_num_threads(rule.threads or 1)
            try:
                state = begin(rule)
                labels = rule.labels_of(images)
                if group:
                    state.trainer.join(group)
                if saved:
                    run.restore(saved, state)
                asks = _diagnostics(rule, pixels, held_out, checkpointer) if checkpointer else []
                save = checkpointer.save if checkpointer else _save_nothing
                with deterministic(rule.device):
                    train(state, pixels, [*watchers, *asks], until, save, held_out, stop, labels)
            except Stopped:
                raise _StoppedAt(state) from None
            except BaseException as error:
                if lacks_memory(error):
                    raise UserError(out_of_memory(run.recipe)) from None
                raise
            saved = state.state_dict()


def _save_nothing(state: State) -> None:
    pass


def check_process_group(run: Run, group: ProcessGroup | None) -> None:
    """Refuse to resume with another number of processes, or a recipe that cannot be distributed."""
    began, now = run.about.get("processes", 1), group.size if group else 1
    if began != now:
        raise UserError(
            f"{run.id} was started on {began} processes and cannot resume on {now}, since the last "
            f"bits would differ: use `torchrun --nproc-per-node {began} -m bascule`, or fork it"
        )
    if group:
        run.recipe.check_processes(group.size)


def _diagnostics(
    rule: Recipe, train: ImageSubset, held_out: ImageSubset, checkpointer: Checkpointer
) -> list[Callback]:
    """The callback that diagnoses D under ``rule``.

    None if there is no D, if D is conditional on labels, if a split has fewer than two images, or
    if an intervention shows D the held-out images.
    """
    if not rule.is_diagnosable or min(len(train), len(held_out)) < 2:
        return []
    return [
        Diagnostics(
            cast(GANRecipe, rule),
            train,
            held_out,
            checkpointer.diagnosed.append,
            checkpointer.run.replay,
        )
    ]


def check_data(run: Run, images: ImageSet) -> None:
    """Refuse to resume on images that differ from those at the start of the run."""
    if images.digest != run.about["data_digest"]:
        raise UserError(
            f"{run.id} was started on other images than {images.name} contains now "
            f"(digest {run.about['data_digest'][:8]}, now {images.digest[:8]}): start a new run"
        )


def out_of_memory(recipe: Recipe) -> str:
    """The error line for a lack of memory: what did not fit, and what to reduce."""
    return (
        f"out of memory with batch={recipe.batch} and model={recipe.model} on {recipe.device}: "
        "the last good checkpoint is kept; try a smaller batch or a narrower model"
    )


def try_status(run: Run, state: str, **more: Any) -> None:
    """Set the status, unless the disk is full or not writable."""
    try:
        run.set_status(state, **more)
    except (UserError, OSError):
        return


def _newest_checkpoint(run: Run) -> dict[str, Any] | None:
    if run.checkpoint().exists():
        return run.load_checkpoint()
    kept = run.kept_epochs()
    return run.load_checkpoint(kept[-1]) if kept else None


def _rules(run: Run, store: Store, epochs_done: int) -> Iterator[tuple[Recipe, int]]:
    """The recipe to follow, and up to which epoch.

    A fork whose checkpoint lies before the branch replays its parent's recipe first, whole:
    its rates and arithmetic too.
    """
    fork = run.fork
    if fork and epochs_done < fork.epoch:
        yield store.find(fork.parent).playable, fork.epoch
    yield run.playable, run.epochs


@contextmanager
def stop_signals(patient: bool = False) -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether SIGINT or SIGTERM has arrived.

    A second signal acts as usual. ``patient``: it is ignored too, because ``torchrun`` sends the
    terminal's signal again. In a thread beside the main one, where Python lets nobody handle
    signals, it tells of those that the main thread asks for.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        for question in _questions:
            question.append(number)
        if not patient:
            signal.signal(number, before[signal.Signals(number)])

    numbers = (signal.SIGINT, signal.SIGTERM)
    ours = numbers if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in ours}
    _questions.append(asked)
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        _questions.remove(asked)
        for number, handler in before.items():
            signal.signal(number, handler)
