"""The public starting points: each names only what it differs in.

On 2,000 cartoon faces the published recipe ends soon: D, with its batch normalisation, wins
within an epoch, and G stays grey (notes/dcgan_on_faces.md). The light presets therefore take
spectral normalisation in D, the two learning rates and beta1 = 0 that go with it (Zhang et al.
2019, section 4), and a batch of 32 for more steps an epoch.
"""

from bascule.data.augment import Flip
from bascule.data.faces import Faces
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.training.recipe import Recipe

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

# The notebook's questions at a size that two cores answer: 512 faces to train on and as many held
# out, a quarter of the width. Width 16 learns at rates that would be too high for width 64.
notebook = dcgan64_light.but(
    data=Faces(n=1024, held_out=0.5),
    model=DCGAN(width=16, norm_D="spectral"),
    batch=64,
    lr_D=1e-3,
    lr_G=5e-4,
    precision="fp32",  # on every machine, so that one may go on with the runs of another
    threads=1,
    sample_every_epochs=10,
    keep_every_epochs=50,
)
# The same with the notebook's kind of D, which is free to be as steep as it likes, and wins.
notebook_sharp = notebook.but(model=DCGAN(width=16), lr_D=2e-4, lr_G=2e-4, beta1=0.5, beta2=0.999)
# Both in seconds, for trying an experiment out.
_seconds = dict(data=Faces(n=128, size=32, held_out=0.5), batch=16, epochs=8, keep_every_epochs=4)
notebook_quick = notebook.but(
    model=DCGAN(width=4, z_dim=16, size=32, norm_D="spectral"), **_seconds
)
notebook_sharp_quick = notebook_sharp.but(model=DCGAN(width=4, z_dim=16, size=32), **_seconds)

PRESETS: dict[str, Recipe] = {
    "dcgan64": dcgan64,
    "dcgan64-light": dcgan64_light,
    "dcgan64-tiny": dcgan64_tiny,
    "notebook": notebook,
    "notebook-sharp": notebook_sharp,
    "dcgan-w9": dcgan_w9,
    "dcgan-w9-light": dcgan_w9_light,
}
