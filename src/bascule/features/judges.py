"""Which feature networks may judge the images of a game: none through which it was trained.

A G that was trained through features of a network, such as those of a projected D, pleases that
network without pleasing people (Kynkäänniemi et al. 2023). So do other networks with the same
training labels: numbers of Inception and of EfficientNet both improve if images only show
ImageNet's classes in the right shares. A recipe says what its game sees (``Recipe.saw``), a run
what it has seen with its past (``Run.saw``). This module alone decides what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

from bascule.core.errors import UserError

SHIPPED = ("efficientnet-lite0", "random-conv", "pixels")  # need no download; the best first
IMAGENET = ("efficientnet-lite0", "inception", "vgg", "alexnet", "lpips")


def why_not(saw: Iterable[str], space: str) -> str:
    """Why numbers in ``space`` say nothing of a game that ``saw`` these networks; "" if they do.

    ``space``: the name of an extractor, such as "efficientnet-lite0,128px", or its spec. A network
    counts as seen under the first words of its name too: "dinov2" stands for "dinov2-s".
    """
    network = space.partition(";")[0].partition(",")[0]
    for seen in saw:
        if _is(network, seen):
            return f"is judged by {network}, through which a game here was trained"
        if any(_is(network, name) for name in IMAGENET) and any(_is(seen, n) for n in IMAGENET):
            return (
                f"is judged by {network}, and a game here was trained through {seen}: both know "
                "the labels of ImageNet"
            )
    return ""


def judge_of(saw: Iterable[str]) -> str:
    """The name of the best shipped extractor that may judge a game that ``saw`` these networks.

    Raises :class:`UserError` if there is none.
    """
    saw = tuple(saw)
    for name in SHIPPED:
        if not why_not(saw, name):
            return name
    raise UserError(
        f"no extractor of the package can judge a game trained through {', '.join(saw)}: name "
        "another one, such as dinov2-s, or write your own"
    )


def _is(network: str, name: str) -> bool:
    """Whether ``network`` has this name, or is a kind of it: "inception-v3", "vgg16"."""
    rest = network.removeprefix(name)
    return rest != network and not rest[:1].isalpha()
