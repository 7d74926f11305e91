"""Does a GAN that plays in HSV draw better faces than one that plays in RGB?"""

from bascule.experiments import KID, Experiment, Higher, Lower, Measure, mean_tv
from bascule.gan.recipe import GANRecipe
from bascule.notebook import smooth_quick, smooth_small


def hsv(plain: GANRecipe, measure: Measure, quick: Experiment | None = None) -> Experiment:
    """The experiment at one size, given by ``plain``. Both arms are measured in RGB."""
    off = Higher(mean_tv(plain.data.size), "hsv", than="rgb")
    return Experiment(
        question=__doc__,
        hypothesis=(
            "No. Hue is an angle, so like colours may be far apart, and at greys it means nothing: "
            "G draws worse pictures, and D, who sees the jumps, leads by more."
        ),
        arms={"rgb": plain, "hsv": plain.replace(space="hsv")},
        predictions=[
            Higher(KID, "hsv", than="rgb"),
            Lower("coverage", "hsv", than="rgb", from_epoch=plain.epochs // 2),
            *([off] if measure.attributes else []),
            Higher("lead", "hsv", than="rgb", from_epoch=plain.epochs // 2),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        remarks=(
            "The conversion is checked against scikit-image; that of 2019 had errors. A first run, "
            "of 64 pixels and 800 steps, told nothing: KID and coverage were at their ends."
        ),
        quick=quick,
    )


quick = hsv(smooth_quick, Measure(fakes=64, attributes=False))
experiment = hsv(smooth_small, Measure(fakes=1000), quick=quick)
