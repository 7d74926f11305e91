"""Five short games that show how training goes well, and how it fails: `bascule show`.

Each failure is one that the rules of diagnosis were tested with (``benchmarks/diagnostics.py``), at
32 px on the built-in faces. A lesson trains for one or two minutes on one core.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bascule.core.errors import unknown
from bascule.data.faces import Faces
from bascule.experiments.experiment import Experiment
from bascule.experiments.predictions import Within
from bascule.gan.recipe import GANRecipe
from bascule.interventions import Freeze
from bascule.lessons.networks import Collapsed, Copies, OnBrightness
from bascule.models.dcgan import DCGAN

NETS = DCGAN(width=16, size=32, norm_D="spectral")

healthy = GANRecipe(
    data=Faces(n=2000, size=32),
    model=NETS,
    epochs=40,
    batch=32,
    lr_D=1e-3,
    lr_G=1e-3,
    threads=1,
    device="cpu",
    precision="fp32",
    sample_every_epochs=2,
    keep_every_epochs=40,
)
strong = healthy.replace(model=replace(NETS, norm_D="batch"), lr_D=2e-3, lr_G=5e-5)
few = healthy.replace(model=Collapsed())
copied = healthy.replace(model=Copies(), interventions=Freeze("G"), epochs=20, keep_every_epochs=20)
circling = healthy.replace(
    model=OnBrightness(), lr_G=6e-3, beta1=0.0, batch=256, epochs=140, keep_every_epochs=140
)


@dataclass(frozen=True)
class Lesson:
    """A game, and what to see in it.

    name      as `bascule show` takes it
    title     in words; the name of its arm beside the healthy game
    recipe    what is trained
    finding   what the diagnosis of the finished run must name
    about     what happens, in two or three sentences
    look      what to look at in the pictures
    question  to think about before reading on
    answer    to that question
    then      what to try next: a command, with RUN for the run
    why       what that command asks
    """

    name: str
    title: str
    recipe: GANRecipe
    finding: str
    about: str
    look: str
    question: str
    answer: str
    then: str
    why: str

    def experiment(self) -> Experiment:
        """Its game beside the healthy one, each trained once."""
        return Experiment(
            name="lessons",
            question=self.question,
            hypothesis=self.answer,
            arms={"healthy": healthy, self.title: self.recipe},
            predictions=[Within("D_x", self.title, 0.0, 0.99)],
            seeds=(0,),
        )


LESSONS = (
    Lesson(
        "healthy",
        "healthy",
        healthy,
        "healthy",
        "A small DCGAN learns 1,800 cartoon faces. D and G learn at the same rate, and D has "
        "spectral normalisation, which keeps its slope small.",
        "Grey, then one blurred face, then faces of many kinds. They grow sharper up to the end.",
        "D tells real from fake better at the end than at the beginning. Is that bad?",
        "No. D and G both improve. What counts is that the distance to real pictures (mmd) falls, "
        "and that fakes stay as varied as real pictures (vendi_ratio near 1).",
        'bascule fork RUN --at-epoch 20 --change "InstanceNoise(0.1, from_epoch=20)"',
        "What does noise on everything that D sees change?",
    ),
    Lesson(
        "d-too-strong",
        "D too strong",
        strong,
        "D wins",
        "D learns fast (lr_D 0.002, with batch normalisation), and G learns slowly (lr_G 0.00005). "
        "After a few epochs D is always right.",
        "The pictures stay vague. Compare them with those of the healthy game after 40 epochs.",
        "D is almost always right. Why does G not learn from such a good teacher?",
        "G learns from how D's answer changes when a picture changes a little. A D that is sure "
        "of everything hardly changes its answer, and it changes faster than G can follow.",
        "bascule fork RUN --at-epoch 10 --set lr_D=2e-4 lr_G=1e-3",
        "Does G recover when the rates change after ten epochs?",
    ),
    Lesson(
        "mode-collapse",
        "mode collapse",
        few,
        "mode collapse",
        "The same nets and rates as in the healthy game, but G hardly sees its latent: it hears "
        "only which of five kinds of picture to draw.",
        "Count the different faces in the grid: there are five. In an earlier grid there were five "
        "others.",
        "A single picture may be as good as one of the healthy game. What would give it away?",
        "Many pictures at once: variety (vendi_ratio) and coverage are low. D sees one picture "
        "at a time, so it cannot punish a face for being drawn too often; it can only learn that "
        "the five faces are fake, and G moves on to other ones.",
        "bascule draw film RUN",
        "Do the five faces stay the same, or does G move on?",
    ),
    Lesson(
        "memorisation",
        "memorisation",
        copied,
        "memorisation",
        "G does not draw: it shows its training images, with a little noise. D learns as usual.",
        "The pictures are perfect. That is the trap: nothing in them shows that they are copies.",
        "Distance to real pictures, variety and coverage are all ideal. Which number is not?",
        "The distance of fakes to the nearest training image (nearest_50), and C_T. Both compare "
        "the fakes with new real pictures: those are further from the training images.",
        "bascule evaluate RUN -n 500",
        "It writes a picture of the fakes beside their nearest training images.",
    ),
    Lesson(
        "oscillation",
        "oscillation",
        circling,
        "oscillation",
        "G shows fresh faces and learns only their brightness; D sees only brightness. Nothing "
        "else can go wrong, and still they do not settle.",
        "The faces become darker, then brighter, then darker again.",
        "When the brightness is right, D has nothing to say. Why does G not stop there?",
        "D is still at its old answer, \u201cbrighter is fake\u201d, when G arrives, so G goes too "
        "far, and D turns round too late. This is the Dirac-GAN of Mescheder et al. 2018.",
        "bascule fork RUN --at-epoch 70 --set lr_D=1e-4 lr_G=6e-4",
        "Do smaller steps stop the wave, or only slow it down?",
    ),
)


def lesson(name: str) -> Lesson:
    """The lesson of this name. Raises :class:`UserError` for an unknown one."""
    found = {each.name: each for each in LESSONS}
    if name not in found:
        raise unknown("lesson", name, found)
    return found[name]
