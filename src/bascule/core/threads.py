"""Work on several cores in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def in_threads(work: Callable[[T], R], parts: Sequence[T]) -> Iterator[R]:
    """``work(part)`` for each of ``parts``, such as batches for a small network, in their order.

    As many run at once as PyTorch may use threads here, and each computes with one thread. So the
    results do not depend on the number of cores. Several threads call ``work`` at once, without
    gradients.
    """
    threads = torch.get_num_threads()

    def alone(part: T) -> R:
        torch.set_num_threads(1)  # of this thread; others keep theirs
        with torch.inference_mode():
            return work(part)

    pool = ThreadPoolExecutor(min(threads, len(parts)) or 1)
    try:
        yield from pool.map(alone, parts)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # also for threads that begin later


@contextmanager
def beside() -> Iterator[Callable[[Callable[[], R]], Callable[[], R]]]:
    """Yields a function that begins work beside this thread, and returns how to get its result.

    Where PyTorch may use one thread only, the work is done when its result is asked for.
    """
    if torch.get_num_threads() == 1:
        yield lambda work: work
        return
    pool = ThreadPoolExecutor(torch.get_num_threads())
    try:
        yield lambda work: pool.submit(work).result
    finally:
        pool.shutdown(cancel_futures=True)
