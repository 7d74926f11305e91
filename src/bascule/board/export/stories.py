"""Three guided games for a class: a D too strong, a mode collapse, a G almost perfect.

The games are trained by the program, within minutes, and a story reads its numbers from them. So a
sentence never says more than what happened in the games that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bascule.core.errors import UserError
from bascule.experiments.experiment import Experiment
from bascule.experiments.predictions import Higher, Lower
from bascule.interventions import Freeze, PerfectG
from bascule.lessons.lesson import healthy, strong

FROZEN_FROM = PERFECT_FROM = 20

ARMS = {
    "healthy": healthy,
    "D too strong": strong,
    "mode collapse": healthy.replace(interventions=Freeze("D", FROZEN_FROM)),
    "G almost perfect": healthy.replace(interventions=PerfectG(PERFECT_FROM)),
}


def experiment() -> Experiment:
    """The games of all stories, one seed each."""
    return Experiment(
        name="stories",
        question=__doc__,
        hypothesis="A D that is too strong sees all fakes; a G that is almost perfect fools D.",
        arms=ARMS,
        predictions=[
            Lower("D_Gz", "D too strong", than="healthy"),
            Higher("D_Gz", "G almost perfect", than="healthy"),
        ],
        seeds=(0,),
    )


@dataclass(frozen=True)
class Told:
    """What a page is told of one game (:func:`bascule.board.export.site.news_of`)."""

    news: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        return len(self.news["scalars"]["epoch"])

    def mean(self, name: str, first: int, last: int) -> float:
        """The mean of a scalar over the epochs ``first`` to ``last``, counted from 1."""
        values = [v for v in self.news["scalars"].get(name, [])[first - 1 : last] if v is not None]
        if not values:
            raise UserError(f"a story needs {name}, which a game did not record")
        return float(sum(values) / len(values))

    def asked(self, name: str) -> float | None:
        """The newest value of a scalar of diagnostics."""
        values = [v for v in self.news.get("asked", {}).get(name, []) if v is not None]
        return float(values[-1]) if values else None

    @property
    def diagnosis(self) -> str:
        """What the diagnosis says at the end, in words."""
        last = (self.news.get("diagnoses") or [{}])[-1]
        names = [f"{each['name']} since epoch {each['since']}" for each in last.get("findings", [])]
        return ", ".join(names) or "nothing"


@dataclass(frozen=True)
class Step:
    """A step of a story: ``text``, then a ``question`` whose ``answer`` is hidden at first.

    ``epoch``: the moment that the page goes to; ``judged``: whether it shows what D judged.
    """

    text: str
    epoch: int
    question: str = ""
    answer: str = ""
    judged: bool = False


@dataclass(frozen=True)
class Story:
    """A story about ``arms``, the healthy game first. ``steps``: made from what is told of them."""

    name: str
    title: str
    question: str
    arms: tuple[str, ...]
    steps: Callable[..., list[Step]]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2g}"


def too_strong(plain: Told, strong: Told) -> list[Step]:
    """The steps of a D that is too strong."""
    end = plain.epochs
    early = min(5, end)
    return [
        Step(
            "Both games begin with a G that draws noise. D is shown real faces and fakes, and "
            "answers with a number between 0 (surely fake) and 1 (surely real). D_x is its mean "
            "answer for reals, D_Gz for fakes.",
            min(1, end),
            "What would D_x and D_Gz be if D could not tell at all?",
            "Equal: the fakes would look like reals to D. With equally many of both, 0.5.",
        ),
        Step(
            "In the second game, D learns fast (a rate of 0.002, with batch normalisation), and G "
            "learns slowly (0.00005). "
            f"In the first {early} epochs D_x is {plain.mean('D_x', 1, early):.2f} and D_Gz "
            f"{plain.mean('D_Gz', 1, early):.2f} in the healthy game; "
            f"{strong.mean('D_x', 1, early):.2f} and {strong.mean('D_Gz', 1, early):.2f} in the "
            "other one.",
            early,
            "G learns from D's answers. What can it learn from a D that is always sure?",
            "Look at the curve grad_norm_G, the size of what G is told. The minimax loss would "
            "give almost nothing here; the non-saturating loss, which is used, does not: "
            f"{_number(strong.asked('grad_norm_G'))} at the end, against "
            f"{_number(plain.asked('grad_norm_G'))} in the healthy game. But G takes small steps, "
            "and D has changed before G arrives.",
        ),
        Step(
            f"At the end, D_Gz is {plain.mean('D_Gz', end - 4, end):.3f} in the healthy game and "
            f"{strong.mean('D_Gz', end - 4, end):.3f} in the other one. The diagnosis of the "
            f"healthy game says: {plain.diagnosis}. That of the other one: {strong.diagnosis}.",
            end,
            "What would you change in the second game? Name one rule, then fork the game there.",
            "Slow D down or hasten G: rates, spectral normalisation in D, noise on D's input, "
            "augmentation. Which one helps is a question for a fork, not for opinion.",
        ),
    ]


def collapse(plain: Told, frozen: Told) -> list[Step]:
    """The steps of a mode collapse."""
    end, before = plain.epochs, FROZEN_FROM
    ratios = [told.asked("vendi_ratio") for told in (plain, frozen)]
    shares = ["not measured" if r is None else f"{100 * r:.0f} %" for r in ratios]
    return [
        Step(
            f"Up to epoch {before} both games are the same game. Each picture of a grid is drawn "
            "from another random point. Look at the grid, and count faces that you would call "
            "different.",
            before,
            "Must a G that fools D draw many different faces?",
            "No. D looks at one picture at a time. One face that D takes for real fools it just "
            "as well.",
        ),
        Step(
            f"After epoch {before} the second game changes one rule: D does not learn any more. "
            f"Five epochs later D_Gz is {frozen.mean('D_Gz', before + 5, before + 5):.2f} there, "
            f"and {plain.mean('D_Gz', before + 5, before + 5):.2f} in the healthy game.",
            before + 5,
            "What is the best picture that G can draw against a D that stays as it is?",
            "The one to which D gives its highest answer. It need not look like a face at all, "
            "and nothing rewards a second one.",
        ),
        Step(
            "Play the film to its end. Diversity is a number: the Vendi score counts, roughly, "
            "how many different pictures there are. Compared with as many real ones it is "
            f"{shares[0]} in the healthy game and {shares[1]} in the other one. The diagnosis of "
            f"the healthy game says: {plain.diagnosis}. That of the other one: {frozen.diagnosis}.",
            end,
            "In a normal game D goes on to learn. What happens to the one face that fools it?",
            "D learns that this face is fake, and another one becomes the best answer. So a "
            "collapsed G often moves on from face to face. By the way: a diagnosis may name the "
            "cause, here a D that no longer tells fakes from reals, and not what you see.",
        ),
    ]


def almost_perfect(plain: Told, perfect: Told) -> list[Step]:
    """The steps of a G that is almost perfect."""
    end, before = plain.epochs, PERFECT_FROM
    after = min(before + 5, end)
    return [
        Step(
            f"Up to epoch {before} both games are the same game: the same weights, the same "
            "pictures, pixel by pixel. The difference below the pictures is black.",
            before,
            "Why do we share the past, and not train twice?",
            "What differs afterwards can then only come from the one rule that we change.",
        ),
        Step(
            f"After epoch {before} the second game changes one rule: D is no longer shown what G "
            "draws, but real faces with a little noise on them, as if G had become almost "
            "perfect. Here you see what D judged.",
            after,
            "What will D_Gz do: rise, fall, or stay?",
            "In the five epochs after the change it was "
            f"{perfect.mean('D_Gz', before + 1, after):.2f}, and "
            f"{plain.mean('D_Gz', before + 1, after):.2f} without it.",
            judged=True,
        ),
        Step(
            f"At the end D_x is {perfect.mean('D_x', end - 4, end):.2f} and D_Gz "
            f"{perfect.mean('D_Gz', end - 4, end):.2f} in the changed game; "
            f"{plain.mean('D_x', end - 4, end):.2f} and {plain.mean('D_Gz', end - 4, end):.2f} "
            "in the plain one.",
            end,
            "Two equal numbers near 0.5: has G won, or has D stopped to learn?",
            "D's answers alone do not tell. Its fakes are reals plus noise here, so there is "
            "almost nothing to tell apart. A test on held-out pictures, with the noise and "
            "without, would.",
            judged=True,
        ),
    ]


STORIES = (
    Story(
        "d-too-strong",
        "D too strong",
        "What happens to G when D always knows?",
        ("healthy", "D too strong"),
        too_strong,
    ),
    Story(
        "mode-collapse",
        "Mode collapse",
        "Must a G that fools D draw many faces?",
        ("healthy", "mode collapse"),
        collapse,
    ),
    Story(
        "g-almost-perfect",
        "G almost perfect",
        "What does D do when the fakes become almost real?",
        ("healthy", "G almost perfect"),
        almost_perfect,
    ),
)
