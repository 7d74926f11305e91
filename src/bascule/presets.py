"""The public starting points: each names only what it differs in.

On 2,000 cartoon faces the published recipe ends soon: D, with its batch normalisation, wins
within an epoch, and G stays grey (notes/dcgan_on_faces.md). The light presets therefore take
spectral normalisation in D, the two learning rates and beta1 = 0 that go with it (Zhang et al.
2019, section 4), and a batch of 32 for more steps an epoch.
"""

from bascule.data.augment import Flip
from bascule.data.local_contrast import LocalContrast
from bascule.data.standard import Standardise
from bascule.data.whitening import Whiten
from bascule.data.window import Window
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.sdpc import SDPC, Inference, Layer
from bascule.training.recipe import Recipe
from bascule.training.sdpc import SDPCRecipe

# Radford et al. 2015 at its published width and rates.
dcgan64 = Recipe(model=DCGAN(width=64), augment=(Flip(),))

# For CPUs: half and a quarter of the width, and a D that does not run away.
dcgan64_light = dcgan64.but(
    model=DCGAN(width=32, norm_D="spectral"),
    augment=(),
    batch=32,
    lr_D=4e-4,
    lr_G=1e-4,
    beta1=0.0,
    beta2=0.99,
)
dcgan64_tiny = dcgan64_light.but(model=DCGAN(width=16, norm_D="spectral"))

# The 2019 internship notebook's variant, learning rates and all.
dcgan_w9 = dcgan64.but(model=DCGANW9(), lr_D=4e-5, lr_G=4e-4)
dcgan_w9_light = dcgan_w9.but(model=DCGANW9(width=24))

PRESETS: dict[str, Recipe] = {
    "dcgan64": dcgan64,
    "dcgan64-light": dcgan64_light,
    "dcgan64-tiny": dcgan64_tiny,
    "dcgan-w9": dcgan_w9,
    "dcgan-w9-light": dcgan_w9_light,
}

# Sparse deep predictive coding: colours stay in the low band, so that codes decode back to them.
sdpc = SDPCRecipe()

# The dynamics and preprocessing of Boutin et al. 2020 for grey faces, at 64 pixels and with a
# geometry that a CPU settles quickly. Whitening is the correct filter (docs/sdpc.md).
sdpc_published = sdpc.but(
    model=SDPC((Layer(64, 8, 4, 2, 0.3), Layer(128, 4, 2, 1, 0.3)), channels=1),
    space="grey",
    preprocess=(LocalContrast(9), Whiten(0.5, 2.0), Standardise(), Window()),
    settle=Inference("published", tolerance=5e-3),
    lr_D=(0.01, 0.02),
    redraw_after=None,
)

SDPC_PRESETS: dict[str, SDPCRecipe] = {
    "sdpc": sdpc,
    "sdpc-published": sdpc_published,
}
