"""What if D begins again whenever it leads too far, and what if G then waits for it?"""

from bascule.experiments import KID, Experiment, Higher, Lower, Measure
from bascule.gan.recipe import GANRecipe
from bascule.interventions import ResetD
from bascule.notebook import sharp_quick, sharp_small


def reset_d(
    plain: GANRecipe, over_steps: int, measure: Measure, quick: Experiment | None = None
) -> Experiment:
    """The experiment at one size, for a D that wins without an intervention."""
    late = plain.epochs // 2
    reset = ResetD(D_x=0.7, D_Gz=0.2, over_steps=over_steps)
    threshold = ResetD(D_x=0.7, D_Gz=0.2, over_steps=over_steps, wait=(0.6, 0.3))
    return Experiment(
        question=__doc__,
        hypothesis=(
            "A D that is reset at D_x > .7 and D_Gz < .2 leads less, and G, which then meets a D "
            "that still has gradients for it, draws better faces than under a D that has won. "
            "Waiting until the new D has learnt (.6 and .3) spares G its bad advice, and is better "
            "still."
        ),
        arms={
            "plain": plain,
            "reset": plain.replace(interventions=reset),
            "threshold": plain.replace(interventions=threshold),
        },
        predictions=[
            Lower("lead", "reset", than="plain", from_epoch=late),
            Lower("lead", "threshold", than="plain", from_epoch=late),
            Lower(KID, "reset", than="plain"),
            Lower(KID, "threshold", than="plain"),
            Lower(KID, "threshold", than="reset"),
            Higher("vendi_ratio", "reset", than="plain", from_epoch=late),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        remarks=(
            "The scores are averaged over about 20 steps, so that one batch resets nothing. How "
            "often it happened stands in the scalars of each run (ResetD.0/resets)."
        ),
        quick=quick,
    )


quick = reset_d(sharp_quick, 4, Measure(fakes=64, attributes=False))
experiment = reset_d(sharp_small, 20, Measure(fakes=1000), quick=quick)
