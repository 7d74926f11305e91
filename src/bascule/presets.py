"""The presets: public starting points. Each lists only the fields that differ from the default.

On 2,000 cartoon faces the published DCGAN recipe fails early: D, with its batch normalisation, wins
within an epoch, and G draws only grey (notes/dcgan_on_faces.md). The light presets therefore use
spectral normalisation in D, with its two learning rates and beta1 = 0 (Zhang et al. 2019, section
4), and a batch of 32 for more steps per epoch.

Each paper has a preset of its own and a light one for CPUs. All light presets use what helps on few
images: flips, DiffAugment, a batch of 32 and an averaged G. So they differ only in their networks,
objectives, rates and turns of D. They compute in bfloat16 if the hardware supports it.

:data:`ABOUT` says where each preset comes from, and in what it departs from what was published.
"""

from dataclasses import replace
from math import log

from bascule.aae.model import AAE
from bascule.aae.recipe import AAERecipe
from bascule.core.class_names import plugin_presets
from bascule.core.schedules import Anneal, Cosine
from bascule.data.augment import Flip, Jitter
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.flow.recipe import FlowRecipe
from bascule.gan.objectives import GANLoss
from bascule.gan.penalties import R1, R2, GradientPenalty, Reconstruction
from bascule.gan.recipe import GANRecipe
from bascule.interventions import DiffAugment, WarmStart
from bascule.models.biggan import BigGAN, BigGANDeep
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.fastgan import FastGAN
from bascule.models.r3gan import R3GAN
from bascule.models.sagan import SAGAN
from bascule.models.sngan import SNGAN
from bascule.models.stylegan2 import StyleGAN2
from bascule.models.wgan_gp import WGANGP
from bascule.sdpc.hybrid.model import SDPCGAN, SDPCCritic
from bascule.sdpc.hybrid.recipe import HybridRecipe
from bascule.sdpc.model import SDPC, Inference, Layer
from bascule.sdpc.preprocess.bands import Bands
from bascule.sdpc.preprocess.local_contrast import LocalContrast
from bascule.sdpc.preprocess.standard import Standardise
from bascule.sdpc.preprocess.whitening import Whiten
from bascule.sdpc.preprocess.window import Window
from bascule.sdpc.recipe import SDPCRecipe
from bascule.training.recipe import Recipe
from bascule.translation.cut.model import CUT
from bascule.translation.cut.recipe import ContrastiveRecipe
from bascule.translation.cyclegan.model import CycleGAN
from bascule.translation.cyclegan.recipe import CycleRecipe
from bascule.translation.domains import TwoSets
from bascule.translation.pairs import CartoonPair
from bascule.translation.pix2pix.recipe import PairedRecipe

dcgan64 = GANRecipe(model=DCGAN(width=64), augment=(Flip(),))

# For CPUs: half and a quarter of the width, and a D that does not win at once.
dcgan64_light = dcgan64.replace(
    model=DCGAN(width=32, norm_D="spectral"),
    augment=(),
    batch=32,
    lr_D=4e-4,
    lr_G=1e-4,
    beta1=0.0,
    beta2=0.99,
    precision="auto",
)
dcgan64_tiny = dcgan64_light.replace(model=DCGAN(width=16, norm_D="spectral"), precision="fp32")

dcgan_w9 = dcgan64.replace(model=DCGANW9(), lr_D=4e-5, lr_G=4e-4)
dcgan_w9_light = dcgan_w9.replace(model=DCGANW9(width=24), precision="auto")

sngan64 = dcgan64.replace(
    model=SNGAN(width=64),
    objective=GANLoss("hinge"),
    critic_steps=5,
    lr_D=Anneal(2e-4, 0.0, until_epoch=500),
    lr_G=Anneal(2e-4, 0.0, until_epoch=500),
    beta1=0.0,
    beta2=0.9,
    epochs=500,
)
# For CIFAR-10 (appendix B): 640 epochs of 781 steps of D have 99,968 of G. docs/replication.md has
# the commands, the published numbers and every departure.
sngan32 = sngan64.replace(
    data=Imported("cifar10", 32),
    model=SNGAN(width=64, size=32),
    augment=(),
    lr_D=Anneal(2e-4, 0.0, until_epoch=640),
    lr_G=Anneal(2e-4, 0.0, until_epoch=640),
    epochs=640,
    sample_every_epochs=10,
    keep_every_epochs=80,
)
sagan64 = sngan64.replace(model=SAGAN(width=64), critic_steps=1, lr_D=4e-4, lr_G=1e-4)
wgan_gp64 = sngan64.replace(
    model=WGANGP(width=64), objective=GANLoss("wasserstein"), penalties=(GradientPenalty(10.0),)
)
# The half-life is that of an average with decay 0.9999 per step of G: of 2 batches of D.
biggan64 = sagan64.replace(
    model=BigGAN(width=64),
    batch=256,
    critic_steps=2,
    lr_D=2e-4,
    lr_G=5e-5,
    beta2=0.999,
    ema_half_life=2 * 256 * log(0.5) / log(0.9999),
)
biggan_deep64 = biggan64.replace(model=BigGANDeep(width=128))
r3gan64 = sngan64.replace(
    model=R3GAN((768, 768, 768, 768, 384), blocks=2),
    objective=GANLoss("relativistic"),
    penalties=(R1(Cosine(2.0, 0.2, 2000)), R2(Cosine(2.0, 0.2, 2000))),
    critic_steps=1,
    batch=256,
    lr_D=Cosine(2e-4, 5e-5, 2000),
    lr_G=Cosine(2e-4, 5e-5, 2000),
    beta2=Cosine(0.9, 0.99, 2000),
    ema_half_life=Cosine(0.0, 5e5, 2000),
    epochs=2000,
)

dcgan64_hinge = dcgan64_light.replace(
    objective=GANLoss("hinge"), augment=Flip(), interventions=DiffAugment(), ema_half_life=5000.0
)
dcgan64_tuned = dcgan64_hinge.replace(
    objective=GANLoss(),
    augment=(),
    interventions=(),
    batch=16,
    lr_D=1e-3,
    lr_G=9e-4,
    lr_decay=0.25,
)
dcgan64_warm = dcgan64_tuned.replace(interventions=WarmStart(4))
dcgan64_modulated = dcgan64_tuned.replace(
    model=DCGAN(width=32, norm_D="spectral", modulated=True, width_D=16)
)
dcgan64_pretrained = dcgan64_tuned.replace(
    model=DCGAN(width=16, norm_D="spectral"), start="faces64", lr_decay=0.0
)
sngan64_light = dcgan64_hinge.replace(model=SNGAN(width=8))
sagan64_light = dcgan64_hinge.replace(model=SAGAN(width=8))
wgan_gp64_light = dcgan64_hinge.replace(
    model=WGANGP(width=8),
    objective=GANLoss("wasserstein"),
    penalties=(GradientPenalty(10.0),),
    critic_steps=5,
    lr_D=2e-4,
    lr_G=2e-4,
)
biggan64_light = dcgan64_hinge.replace(model=BigGAN(width=8), lr_D=2e-4, lr_G=2e-4)
r3gan64_light = dcgan64_hinge.replace(
    model=R3GAN((64, 64, 64, 32, 16)),
    objective=GANLoss("relativistic"),
    penalties=(R1(1.0, every=4), R2(1.0, every=4)),
    lr_D=2e-4,
    lr_G=2e-4,
)
fastgan64 = dcgan64_hinge.replace(
    model=FastGAN(), penalties=(Reconstruction(),), batch=16, lr_D=2e-4, lr_G=2e-4
)
fastgan128 = fastgan64.replace(data=Faces(size=128), model=FastGAN(size=128))
stylegan2_64 = dcgan64_hinge.replace(
    model=StyleGAN2(),
    objective=GANLoss(),
    penalties=(R1(0.05, every=16),),
    batch=16,
    lr_D=2.5e-3,
    lr_G=2.5e-3,
)
stylegan2_128 = stylegan2_64.replace(
    data=Faces(size=128), model=StyleGAN2(base=2048, size=128), penalties=(R1(0.2, every=16),)
)

PRESETS: dict[str, GANRecipe] = {
    "dcgan64": dcgan64,
    "dcgan64-light": dcgan64_light,
    "dcgan64-tiny": dcgan64_tiny,
    "dcgan64-hinge": dcgan64_hinge,
    "dcgan64-tuned": dcgan64_tuned,
    "dcgan64-warm": dcgan64_warm,
    "dcgan64-modulated": dcgan64_modulated,
    "dcgan64-pretrained": dcgan64_pretrained,
    "dcgan-w9": dcgan_w9,
    "dcgan-w9-light": dcgan_w9_light,
    "sngan32": sngan32,
    "sngan64": sngan64,
    "sngan64-light": sngan64_light,
    "sagan64": sagan64,
    "sagan64-light": sagan64_light,
    "wgan-gp64": wgan_gp64,
    "wgan-gp64-light": wgan_gp64_light,
    "biggan64": biggan64,
    "biggan64-light": biggan64_light,
    "biggan-deep64": biggan_deep64,
    "r3gan64": r3gan64,
    "r3gan64-light": r3gan64_light,
    "fastgan64": fastgan64,
    "fastgan128": fastgan128,
    "stylegan2-64": stylegan2_64,
    "stylegan2-128": stylegan2_128,
}

aae64 = AAERecipe(augment=(Flip(),))
aae64_light = aae64.replace(model=AAE(width=32, z_dim=32), batch=32, lr=1e-3, lr_D=5e-4, lr_E=5e-4)

AAE_PRESETS: dict[str, AAERecipe] = {"aae64": aae64, "aae64-light": aae64_light}

# A rival that is no GAN: rectified flow (Liu et al. 2023) with a small U-Net, for CPUs.
flow64 = FlowRecipe(batch=16, ema_half_life=1000.0, precision="auto")

FLOW_PRESETS: dict[str, FlowRecipe] = {"flow64": flow64}

# An epoch of two equal sets shows each of them twice, an epoch of the authors once. So the
# authors' 200 epochs are 100 here.
cyclegan_256 = CycleRecipe(
    data=TwoSets(Faces(style="adventurer", size=256), Faces(size=256)),
    model=CycleGAN(),
    augment=(Jitter(), Flip()),
    lr=Anneal(2e-4, 0.0, until_epoch=100, from_epoch=50),
    epochs=100,
)
cut_256 = ContrastiveRecipe(
    data=cyclegan_256.data,
    model=CUT(init="xavier", blurred_D=True),
    augment=cyclegan_256.augment,
    patches=256,
    lr=Anneal(2e-4, 0.0, until_epoch=200, from_epoch=100),
    epochs=200,
)
fastcut_256 = cut_256.replace(
    contrast=10.0,
    identity=False,
    flips=True,
    lr=Anneal(2e-4, 0.0, until_epoch=100, from_epoch=75),
    epochs=100,
)
# For CPUs, at 64 pixels: a ninth of the weights, and a discriminator whose patch of 34 pixels
# covers half a face. An epoch of the two styles is 2,000 steps with one picture of each.
# InstanceNorm is faster with channels first.
cyclegan_light = CycleRecipe(
    data=CartoonPair(),
    lr=Anneal(2e-4, 0.0, until_epoch=4, from_epoch=2),
    epochs=4,
    precision="auto",
    channels_last=False,
)
cut_light = ContrastiveRecipe(
    data=CartoonPair(),
    model=replace(ContrastiveRecipe.model, init="xavier"),
    lr=cyclegan_light.lr,
    epochs=4,
    precision="auto",
    channels_last=False,
)
fastcut_light = cut_light.replace(contrast=10.0, identity=False, flips=True)
pix2pix_light = PairedRecipe(lr=cyclegan_light.lr, epochs=4, precision="auto", channels_last=False)

TRANSLATION_PRESETS: dict[str, CycleRecipe | ContrastiveRecipe | PairedRecipe] = {
    "cyclegan-256": cyclegan_256,
    "cyclegan-light": cyclegan_light,
    "cut-256": cut_256,
    "cut-light": cut_light,
    "fastcut-256": fastcut_256,
    "fastcut-light": fastcut_light,
    "pix2pix-light": pix2pix_light,
}

# The low band keeps the colours, so that decoded images have them.
sdpc = SDPCRecipe()

sdpc_published = sdpc.replace(
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

sdpc_critic = HybridRecipe(
    model=SDPCCritic(),
    **{
        field: getattr(dcgan64_tuned, field)
        for field in (
            *("batch", "lr_D", "lr_G", "beta1", "beta2", "lr_decay"),
            *("ema_half_life", "precision"),
        )
    },
)
sdpc_gan = sdpc_critic.replace(
    model=SDPCGAN()
)  # training on codes first did not help: hybrids/verdict

# For the small versions of experiments: 40 faces of 32 pixels, seconds a run.
sdpc_critic_tiny = sdpc_critic.replace(
    data=Faces(n=80, size=32, held_out=0.5),
    model=SDPCCritic(width=2, z_dim=8, size=32),
    coding=sdpc.replace(
        data=Faces(n=80, size=32, held_out=0.5),
        model=SDPC((Layer(8, 8, 4, 2, 0.5), Layer(12, 4, 2, 1, 0.5)), size=32),
        preprocess=(Bands(4), Standardise()),
    ),
    precision="fp32",
    threads=1,
)

HYBRID_PRESETS: dict[str, HybridRecipe] = {"sdpc-gan": sdpc_gan, "sdpc-critic": sdpc_critic}

_LIGHT = "a light net with the batch, flips, DiffAugment and averaged G of dcgan64-hinge"
_JITTER = "No jitter and no flips: the heads of its pictures look the same way"
# What each preset is: its source, and every departure from what was published that we know of.
ABOUT: dict[str, str] = {
    "dcgan64": "Radford et al. 2015. Departures: a batch of 64 instead of 128, and flips.",
    "dcgan64-light": "DCGAN for CPUs: half the width, and a D that does not win at once.",
    "dcgan64-tiny": "dcgan64-light with half its width.",
    "dcgan64-hinge": "dcgan64-light with hinge loss, flips, DiffAugment and an averaged G.",
    "dcgan64-tuned": "DCGAN with the rates and the batch found by experiments/tune/light_dcgan.py; "
    "the rates fall in the last quarter (experiments/cool_down.py).",
    "dcgan64-warm": "dcgan64-tuned after four epochs in which G learns to draw from principal "
    "components (experiments/generators/warm_start.py). For minutes, it draws more kinds of faces.",
    "dcgan64-modulated": "dcgan64-tuned with self-modulation in G and a D of half the width "
    "(experiments/generators/self_modulation.py). An epoch takes 0.6 of the time.",
    "dcgan64-pretrained": "dcgan64-tuned with half its width, from weights that come with the "
    "package, trained on other faces. It draws faces from its first epoch on.",
    "dcgan-w9": "The variant of the internship notebook of 2019, with its rates.",
    "dcgan-w9-light": "dcgan-w9 with a narrower net.",
    "sngan64": "Miyato et al. 2018, as for its ResNets: hinge loss, 5 steps of D for one of G, "
    "rates that fall to 0. Departures: 64 pixels, no labels, flips.",
    "sngan32": "sngan64 at 32 pixels for CIFAR-10, which you bring, without flips. "
    "docs/replication.md names the departures.",
    "sngan64-light": f"SNGAN: {_LIGHT}. Departures: its rates, and one step of D for one of G.",
    "sagan64": "Zhang et al. 2019, section 4: two rates, one step each. Departures: a batch of 64 "
    "instead of 256, 64 pixels, no labels, flips.",
    "sagan64-light": f"SAGAN: {_LIGHT}.",
    "wgan-gp64": "Gulrajani et al. 2017, algorithm 1 and the appendix for its ResNets. "
    "Departure: flips.",
    "wgan-gp64-light": f"WGAN-GP: {_LIGHT}.",
    "biggan64": "Brock et al. 2019, appendix C: rates 5e-5 (G) and 2e-4 (D), 2 steps of D for one "
    "of G, an average with decay 0.9999. Departures: a batch of 256 instead of 2048, 64 pixels, no "
    "labels, no orthogonal regularisation, flips. The authors' PyTorch code has SAGAN's rates "
    "instead, 1e-4 and 4e-4 with one step each.",
    "biggan64-light": f"BigGAN: {_LIGHT}. Departures: a rate of 2e-4 for both and one step of D "
    "for one of G. For CIFAR-10 the authors' code has this rate and 4 steps of D, with a batch "
    "of 50.",
    "biggan-deep64": "Brock et al. 2019, as for 128 pixels, with the rates, the steps and the "
    "departures of biggan64.",
    "r3gan64": "Huang et al. 2024, table of FFHQ-64: 20 million images are 2,000 epochs of 10,000. "
    "Departure: flips instead of its scheduled augmentation.",
    "r3gan64-light": f"R3GAN: {_LIGHT}. Departures: penalties in every fourth step, constant "
    "rates.",
    "fastgan64": "Liu et al. 2021 with the rates of Sauer et al. 2021, for CPUs and not tuned: an "
    "eighth of the width of G, a quarter of D's. Departures: 64 pixels, the hinge loss without a "
    "random margin, a mean squared error for D's decoders, a batch of 16; flips, DiffAugment and "
    "averaged G of dcgan64-hinge.",
    "fastgan128": "fastgan64 at 128 pixels.",
    "stylegan2-64": "Karras et al. 2020 with the rates, the mapping and R1 of the ADA program "
    "(gamma = 0.0002 size² / batch, every 16 steps), for CPUs and not tuned: 16 channels at 64 "
    "pixels, at most 128. Departures: no style mixing and no path length regularisation, a batch "
    "of 16; flips, DiffAugment and averaged G of dcgan64-hinge instead of ADA.",
    "stylegan2-128": "stylegan2-64 at 128 pixels, with 16 channels there.",
    "aae64": "Makhzani et al. 2015 with DCGAN's convolutions.",
    "aae64-light": "aae64 for CPUs.",
    "flow64": "Rectified flow (Liu et al. 2023), which is no GAN, with a small U-Net for CPUs.",
    "cyclegan-256": "Zhu et al. 2017: 9 residual blocks, jitter from 256 to 286 pixels and back, "
    "flips. The authors' 200 epochs show each set 200 times; so do 100 epochs here. Departures: "
    "the second set has an order of its own, not random draws; noise of one grey level.",
    "cyclegan-light": f"CycleGAN for CPUs at 64 pixels: 4 residual blocks, half the width. "
    f"{_JITTER}.",
    "cut-256": "Park et al. 2020, with the initial weights and the anti-aliased D of the authors' "
    "code, jitter and flips; 200 epochs here are their 400. Departures: those of cyclegan-256, and "
    "jitter to the end (theirs stops when the rate begins to fall).",
    "cut-light": "CUT for CPUs at 64 pixels: 4 residual blocks, half the width, initial weights as "
    f"in the authors' code. D is not anti-aliased. {_JITTER}.",
    "fastcut-256": "Park et al. 2020, FastCUT; 100 epochs here are the authors' 200. Departures: "
    "those of cut-256.",
    "fastcut-light": "FastCUT for CPUs, as cut-light.",
    "pix2pix-light": "pix2pix (Isola et al. 2017) with the translator of cyclegan-light instead "
    f"of a U-Net with dropout, to compare. {_JITTER}.",
    "sdpc-gan": "A GAN whose G draws sparse codes; rates and batch of dcgan64-tuned.",
    "sdpc-critic": "A GAN whose D sees through sparse codes; rates and batch of dcgan64-tuned.",
    "sdpc": "Sparse deep predictive coding of colour images.",
    "sdpc-published": "The dynamics and preprocessing of Boutin et al. 2020 for grey faces. "
    "Departures: 64 pixels, a geometry whose inference is fast on a CPU, and the correct whitening "
    "filter (docs/sdpc.md).",
}


def ranked() -> dict[str, Recipe]:
    """The presets that ``bascule ladder`` takes: those that draw, and train in one stage."""
    return {**PRESETS, **AAE_PRESETS, **FLOW_PRESETS}


def trained() -> dict[str, Recipe]:
    """The presets that ``bascule train`` takes, those of plug-ins too, by their names."""
    return {
        **PRESETS,
        **AAE_PRESETS,
        **FLOW_PRESETS,
        **TRANSLATION_PRESETS,
        **HYBRID_PRESETS,
        **plugin_presets(),
    }
