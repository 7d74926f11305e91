"""What becomes of a GAN in 5000 epochs: when is it best, and why does it not stay so?"""

from bascule.core.schedules import Uniform
from bascule.data.augment import Flip
from bascule.data.faces import Faces
from bascule.experiments import KID, Experiment, Falls, Higher, Lower, Measure, Rises
from bascule.gan.recipe import GANRecipe
from bascule.interventions import DiffAugment, InstanceNoise
from bascule.notebook import smooth_quick, smooth_small


def long(plain: GANRecipe, measure: Measure, quick: Experiment | None = None) -> Experiment:
    """The experiment at one size; windows are tenths of the run."""
    tenth = plain.epochs // 10
    first, second, last = (0, tenth), (tenth, 2 * tenth), (9 * tenth, 10 * tenth)
    return Experiment(
        question=__doc__,
        hypothesis=(
            "Quality is best in the first fifth. Then D learns its few training images by heart: "
            "it tells them from held-out ones, its lead grows, loss_G climbs, G gets less from it, "
            "and the fakes get worse."
        ),
        arms={
            "plain": plain,
            "DiffAugment": plain.replace(interventions=(*plain.interventions, DiffAugment())),
        },
        predictions=[
            Falls("mmd", "plain", earlier=first, later=second),
            Rises("mmd", "plain", earlier=second, later=last),
            Rises(KID, "plain", earlier=(second[1] - 1, second[1]), later=(last[1] - 1, last[1])),
            Falls("coverage", "plain", earlier=second, later=last),
            Rises("auc_train_vs_held_out", "plain", earlier=first, later=last, by=0.1),
            Rises("loss_G", "plain", earlier=second, later=last),
            Rises("lead", "plain", earlier=second, later=last),
            Rises("grad_norm_G", "plain", earlier=second, later=last),
            # the remedy: predicted after two seeds of the plain arm and before its own runs
            Lower("auc_train_vs_held_out", "DiffAugment", than="plain", from_epoch=last[0]),
            Higher("C_T", "DiffAugment", than="plain", from_epoch=last[0]),
            Lower(KID, "DiffAugment", than="plain"),
            Higher("coverage", "DiffAugment", than="plain", from_epoch=last[0]),
        ],
        seeds=(0, 1, 2),
        measure=measure,
        remarks=(
            "In 2019: loss_G rose to about 13 until epoch 2000; a long spike from 2150 to 2300, in "
            "which samples collapsed; then a restless plateau. The pictures were best in the first "
            "half of the rise. Here 128 faces stand for the thousands of then, so that 5000 epochs "
            "are 10,000 steps. The plain arm was first run at 64 pixels, where two seeds reached "
            "their end and none was measured before the runs were lost: nothing collapsed, but D "
            "came to tell its own faces from held-out ones, and fakes came nearer to training "
            "faces. The remedy follows from them: augmenting all that D sees should keep it from "
            "learning them by heart. At 32 pixels all six runs cost what one did; the predictions "
            "stand as they were written before any run, those of the remedy before runs of it."
        ),
        quick=quick,
    )


changes = {"augment": Flip(), "interventions": InstanceNoise(Uniform(0.0, 0.1))}
quick = long(
    smooth_quick.replace(**changes, epochs=20, keep_every_epochs=2),
    Measure(fakes=64, attributes=False, epochs=(4,)),
)
experiment = long(
    smooth_small.replace(
        **changes,
        data=Faces(n=256, size=32, held_out=0.5),
        epochs=5000,
        sample_every_epochs=250,
        keep_every_epochs=500,
    ),
    Measure(fakes=1000, epochs=tuple(range(500, 5000, 500))),
    quick=quick,
)
