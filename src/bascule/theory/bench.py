"""The theory bench: runs all measurements in parallel processes of one thread each.

Every random draw is addressed and every job uses one thread, so the numbers do not depend on the
number of processes. No files are written here.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import torch

from bascule.core.errors import UserError
from bascule.theory import mixtures
from bascule.theory.check import Budget, Section, Shares, Tell
from bascule.theory.dirac_checks import dirac_section
from bascule.theory.gaussian_checks import gaussian_section
from bascule.theory.mixture_checks import mixture_section
from bascule.theory.noise_checks import noise_section

TWO_MINUTES = Budget("two minutes", mixtures.TWO_MINUTES)
FULL = Budget("full: the published schedule of the mixtures", mixtures.PUBLISHED)

Job = Callable[[Tell], Any]


def jobs(budget: Budget) -> dict[str, Job]:
    """All measurements by name, the longest first."""
    found: dict[str, Job] = {
        f"{mixture.name}, seed {seed}": partial(mixtures.play, mixture, budget.mixtures, seed)
        for mixture in (mixtures.ring(), mixtures.grid())
        for seed in budget.seeds
    }
    found["noise"] = partial(noise_section, budget)
    found["Dirac-GAN"] = partial(dirac_section, budget)
    found["two Gaussians"] = partial(gaussian_section, budget)
    return found


def measure(
    budget: Budget, workers: int, tell: Callable[[Shares], None] = lambda shares: None
) -> list[Section]:
    """All sections of the bench. ``tell`` is called with the progress a few times per second."""
    todo = jobs(budget)
    found = in_processes(todo, workers, tell) if workers > 1 else here(todo, tell)
    drawn = {m.name: m for m in (mixtures.ring(), mixtures.grid())}
    points = {
        name: {seed: found[f"{name}, seed {seed}"] for seed in budget.seeds} for name in drawn
    }
    return [
        found["Dirac-GAN"],
        found["two Gaussians"],
        found["noise"],
        mixture_section(drawn, points, budget),
    ]


def here(todo: Mapping[str, Job], tell: Callable[[Shares], None]) -> dict[str, Any]:
    """Run the jobs one after the other, with one thread."""
    threads, shares, found = torch.get_num_threads(), dict.fromkeys(todo, 0.0), {}

    def one(name: str, share: float) -> None:
        shares[name] = share
        tell(shares)

    torch.set_num_threads(1)
    try:
        for name, job in todo.items():
            found[name] = job(partial(one, name))
            one(name, 1.0)
    finally:
        torch.set_num_threads(threads)
    return found


_shares: Any = None  # in a worker process: shared memory with the progress of the jobs


def _enter(shares: Any) -> None:
    global _shares
    _shares = shares
    torch.set_num_threads(1)


def _do(place: int, job: Job) -> Any:
    def tell(share: float) -> None:
        _shares[place] = share
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)  # the parent has ended

    found = job(tell)
    tell(1.0)
    return found


def in_processes(
    todo: Mapping[str, Job], workers: int, tell: Callable[[Shares], None]
) -> dict[str, Any]:
    """Run the jobs in ``workers`` processes, which end when this process is interrupted."""
    context = multiprocessing.get_context("spawn")
    shares = context.Array("d", len(todo))
    before: Sequence[Any] = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, context, _enter, (shares,))
    try:
        futures: dict[str, Future[Any]] = {
            name: pool.submit(_do, place, job) for place, (name, job) in enumerate(todo.items())
        }
        waiting = set(futures.values())
        while waiting:
            done, waiting = wait(waiting, timeout=0.3)
            for future in done:
                future.result()  # raises the job's exception
            tell(dict(zip(todo, shares[:], strict=True)))
        return {name: future.result() for name, future in futures.items()}
    except BaseException as error:
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise UserError(
                "a process of the bench died, perhaps from a lack of memory: close some programs "
                "and start again"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)
