"""The scans of the 2019 notebook, as one search: which of its knobs was worth turning?"""

from bascule.notebook import sharp_quick, sharp_small
from bascule.tuning.search import Among, Between, Choice, Tuning, Whole

space: dict[str, Choice] = {
    "lr_D": Between(1e-5, 2e-3, log=True),
    "lr_G": Between(1e-5, 2e-3, log=True),
    "beta1": Among((0.0, 0.5, 0.9)),
    "beta2": Among((0.9, 0.99, 0.999)),
    "batch": Among((16, 32, 64)),
    "model.z_dim": Among((16, 64, 100, 256)),
    "model.norm_eps": Between(1e-6, 1.0, log=True),
    "interventions": Among(("[]", "[InstanceNoise(0.05)]", "[InstanceNoise(Uniform(0.0, 0.1))]")),
}
remarks = (
    "The notebook turned these knobs one at a time and by eye: both learning rates, the epsilon of "
    "BatchNorm, the betas of Adam, the batch, the size of the latent and noise on what D sees. All "
    "trials have the same number of epochs, so a smaller batch means more steps."
)
quick = Tuning(
    question=__doc__,
    start=sharp_quick,
    space={"lr_D": space["lr_D"], "batch": Among((8, 16)), "model.z_dim": Whole(8, 32)},
    fakes=64,
    looks=2,
    trials=4,
    fresh_seeds=(101, 102),
    remarks=remarks,
)
tuning = Tuning(
    question=__doc__,
    start=sharp_small.replace(epochs=100),
    space=space,
    trials=40,
    fresh_seeds=(101, 102, 103),
    remarks=remarks,
    quick=quick,
)
