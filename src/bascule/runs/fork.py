"""Fork a run: the same past, then another rule. Only the part after the branch is trained.

Random draws are addressed and resuming is exact, so a fork and its parent share every draw. After
the branch, only the changed rule can cause a difference.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from bascule.core.errors import UserError
from bascule.core.user_code import known_with
from bascule.runs import codec
from bascule.runs.codec import encode
from bascule.runs.store import Fork, Run, Store
from bascule.training.recipe import Recipe

SAME_IN_A_FORK = ("data", "model", "seed", "space", "batch")


def longer(run: Run, epochs: int) -> tuple[Recipe, int]:
    """The recipe of ``run`` with more epochs, and for how many epochs both train identically.

    That is all that the run has done, or, where its rates fall towards the end, what it did before
    they fell. Raises :class:`UserError` if the run has not fewer epochs, or has not begun.
    """
    recipe, done = run.playable, len(run.rows())
    if epochs <= recipe.epochs:
        raise UserError(
            f"--epochs {epochs}: {run.id} has {recipe.epochs} epochs; expected more, or leave "
            "--epochs out to go on with it as it is"
        )
    if not done:
        raise UserError(f"{run.id} has no complete epoch: train {epochs} epochs from the start")
    least = recipe.depends_on_length_from
    return recipe.replace(epochs=epochs), done if least is None else max(1, min(done, least))


def lengthened(store: Store, run: Run, recipe: Recipe, at_epoch: int, processes: int = 1) -> Run:
    """The run of :func:`longer`; it counts as one that was trained from the start."""
    name = f"{run.name} to {recipe.epochs} epochs"
    return fork(store, run, at_epoch, recipe, name, same_law=True, processes=processes)


def fork(
    store: Store,
    parent: Run,
    at_epoch: int,
    recipe: Recipe,
    name: str,
    same_law: bool = False,
    processes: int = 1,
) -> Run:
    """A run with ``recipe`` whose first ``at_epoch`` epochs are those of ``parent``.

    ``same_law``: ``recipe`` trained from the start would have exactly this past, because its
    changes act only from ``at_epoch`` on. The caller guarantees this. The run then counts as a run
    of the recipe itself.
    ``processes``: how many train the fork together; its past may have been trained by others.

    It starts from the parent's latest kept checkpoint at or before ``at_epoch`` and replays the
    parent's rule from there, bit for bit. If the parent is itself a fork and ``at_epoch`` lies
    before its branch, the new run is a fork of the parent's parent. Raises :class:`UserError` if
    the parent has not reached ``at_epoch``, or if the recipe changes a field that a fork must keep.
    """
    done = len(parent.rows())
    if not 1 <= at_epoch <= done:
        raise UserError(
            f"cannot fork {parent.id} at epoch {at_epoch}: it has {done} complete epochs; "
            f"expected 1 to {done}"
        )
    if recipe.epochs <= at_epoch:
        raise UserError(
            f"a fork at epoch {at_epoch} needs more than {at_epoch} epochs in all, "
            f"not {recipe.epochs}"
        )
    for field in SAME_IN_A_FORK:
        ours, theirs = getattr(recipe, field), getattr(parent.recipe, field)
        if encode(ours) != encode(theirs):
            raise UserError(f"a fork keeps its parent's {field} ({theirs}), not {ours}")

    while parent.fork and at_epoch <= parent.fork.epoch:
        parent = store.find(parent.fork.parent)  # the run that this past belongs to
    branch = Fork(parent.id, at_epoch)
    run = store.create(
        recipe,
        name,
        parent.about["data_digest"],
        branch,
        keyed=not same_law,
        processes=processes,
        saw=parent.saw,
    )
    if run.checkpoint().exists() or run.status["state"] == "finished":
        return run
    kept = [epoch for epoch in parent.kept_epochs() if epoch <= at_epoch]
    past = kept[-1] if kept else 0
    with run.lock():
        run.set_rows([row for row in parent.rows() if row["epoch"] < past])
        run.set_diagnostics([row for row in parent.diagnostics() if row["epoch"] < past])
        for epoch in range(past):
            if (kept_fakes := parent.replay / f"epoch-{epoch:04d}.npy").exists():
                run.replay.mkdir(exist_ok=True)
                shutil.copyfile(kept_fakes, run.replay / kept_fakes.name)
        for epoch in range(1, past + 1):
            for picture in (Run.sample, Run.shown):
                if picture(parent, epoch).exists():
                    shutil.copyfile(picture(parent, epoch), picture(run, epoch))
        if past:
            run.save_checkpoint(parent.load_checkpoint(past), keep_as=past)
    return run


def changed_recipe(
    parent: Run,
    at_epoch: int,
    changes: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    epochs: int | None = None,
) -> Recipe:
    """The recipe of a fork of ``parent``, from texts as a person writes them.

    changes   interventions to add, such as ``"PerfectG(at_epoch=60)"``
    settings  changed fields, by dotted name
    epochs    after the branch; None: as many as the parent has left

    Executes the run's own code if its recipe needs any (:attr:`Run.playable`). Raises
    :class:`UserError` for a text that is no such value, and if nothing would change.
    """
    recipe = parent.playable
    extra = known_with(recipe)
    added = tuple(_intervention(text, extra) for text in changes)
    longer: dict[str, Any] = {"epochs": at_epoch + epochs if epochs else recipe.epochs}
    longer |= {"interventions": recipe.interventions + added} if added else {}
    changed = codec.changed(recipe.replace(**longer), settings or {}, extra)
    if changed == recipe:
        raise UserError("the fork would change nothing: give --change, --set or --epochs")
    return changed


def name_of_fork(parent: Run, at_epoch: int, told: Sequence[str], recipe: Recipe) -> str:
    """What a fork is called unless its maker says. ``told``: its changes and settings."""
    return f"{parent.name} fork {at_epoch} {', '.join(told) or f'{recipe.epochs} epochs'}"


def _intervention(text: str, extra: Sequence[type]) -> Any:
    change = codec.parse(text, extra)
    if not hasattr(change, "first_epoch"):
        raise UserError(f"--change {text}: expected an intervention, e.g. PerfectG(at_epoch=60)")
    return change
