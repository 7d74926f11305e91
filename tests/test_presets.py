"""Each preset plays: one tiny epoch with its own model, learning rates and augmentation."""

from dataclasses import fields

import pytest

from bascule import presets
from bascule.core.context import StepContext
from bascule.core.schedules import value_at
from bascule.data.faces import Faces
from bascule.data.imported import Imported
from bascule.gan.objectives import GANLoss
from bascule.gan.penalties import GradientPenalty, Reconstruction
from bascule.gan.recipe import GANRecipe
from bascule.interventions import DiffAugment, WarmStart
from bascule.models.dcgan import DCGAN, DCGANW9
from bascule.models.sngan import SNGAN
from bascule.presets import ABOUT, PRESETS
from bascule.runs import codec
from bascule.runs.execute import execute
from bascule.training.state import begin

PAPERS = ("sngan32", "sngan64", "sagan64", "wgan-gp64", "biggan64", "biggan-deep64", "r3gan64")
LIGHT = [name for name in PRESETS if name not in PAPERS]


@pytest.mark.parametrize("name", LIGHT)
def test_a_preset_trains_one_tiny_epoch(name, make_run, store):
    """One step, after which every weight has moved by its own player's learning rate.

    Adam's first step is lr * g / (|g| + eps), so its largest move is lr, whatever the loss.
    """
    preset = PRESETS[name]
    if preset is presets.dcgan64_warm:  # its game begins later: tests/interventions/test_warm_start
        preset = preset.replace(interventions=())
    # A batch of 40 at the published width would take 10 s on one core.
    wide = getattr(preset.model, "width", 8) >= 64 or preset.data.size == 128
    few = {"batch": 4} if wide else {"batch": 40}
    data = Faces(n=7 if wide else 72, size=preset.data.size)
    recipe = preset.replace(data=data, epochs=1, threads=1, device="cpu", critic_steps=1)
    recipe = recipe.replace(**few)
    run = make_run(recipe, name)
    assert execute(run, store) == "finished"
    (row,) = run.rows()
    assert row["step"] == 1
    assert 0 < row["D_x"] < 1 and 0 < row["D_Gz"] < 1
    assert run.sample(1).exists()
    before, after = begin(run.recipe).trainer.game, run.load_checkpoint()["game"]
    for player, lr in (("G", preset.lr_G), ("D", preset.lr_D)):
        for part, weight in getattr(before, player).named_parameters():
            moved = (after[player][part] - weight.detach()).abs().max()
            assert moved <= lr * 1.02
            # Behind a factor that begins at 0: attention, and the blocks of R3GAN.
            still = {"theta", "phi", "g", "out"} & set(part.split(".")) or "r3gan" in name
            if weight.dim() > 1 and not still:  # not the biases that BatchNorm makes moot
                assert moved > lr * 0.98


def test_every_preset_of_the_file_is_in_the_table_once():
    told = {id(value) for value in vars(presets).values() if type(value) is GANRecipe}
    assert told == {id(recipe) for recipe in PRESETS.values()}
    assert len(set(PRESETS.values())) == len(PRESETS)


def test_every_preset_says_what_it_is():
    own = (*PRESETS, *presets.AAE_PRESETS, *presets.FLOW_PRESETS, *presets.TRANSLATION_PRESETS)
    own = (*own, *presets.TRANSLATION_PRESETS, *presets.HYBRID_PRESETS)
    assert set(ABOUT) == {*own, *presets.SDPC_PRESETS}
    assert all(about.endswith(".") for about in ABOUT.values())


def test_names_in_the_table_are_those_in_the_file():
    for name, recipe in PRESETS.items():
        assert getattr(presets, name.replace("-", "_")) is recipe


def test_dcgan64_is_the_papers_but_for_its_batch():
    """Radford et al. 2015, section 4: Adam, rate 0.0002, momentum 0.5; 64 px, z of 100."""
    recipe = PRESETS["dcgan64"]
    assert recipe.model == DCGAN(width=64, z_dim=100, size=64)
    assert (recipe.lr_D, recipe.lr_G, recipe.beta1, recipe.beta2) == (2e-4, 2e-4, 0.5, 0.999)


def test_w9_is_the_notebooks_pair_with_its_unequal_rates():
    recipe = PRESETS["dcgan-w9"]
    assert recipe.model == DCGANW9(width=64, z_dim=100)
    assert (recipe.lr_D, recipe.lr_G) == (4e-5, 4e-4)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("dcgan64-light", "dcgan64"),
        ("dcgan64-tiny", "dcgan64-light"),
        ("dcgan-w9-light", "dcgan-w9"),
    ],
)
def test_a_lighter_preset_is_narrower(name, base):
    light, heavy = PRESETS[name].model, PRESETS[base].model
    assert type(light) is type(heavy)
    assert light.width < heavy.width
    assert (light.z_dim, light.size) == (heavy.z_dim, heavy.size)


@pytest.mark.parametrize("name", ["dcgan64-light", "dcgan64-tiny"])
def test_the_light_dcgans_have_a_spectral_faster_D_and_smaller_batches(name):
    recipe = PRESETS[name]
    assert recipe.model.norm_D == "spectral"
    assert recipe.lr_D > recipe.lr_G
    assert recipe.batch == 32


@pytest.mark.parametrize("recipe", PRESETS.values(), ids=PRESETS)
def test_a_preset_plays_on_any_machine(recipe):
    """Presets choose nets, objectives, augmentation and rates; of arithmetic, precision at most."""
    assert recipe.precision in ("fp32", "auto")
    for name in ("channels_last", "fused_adam", "compile", "threads", "device"):
        assert getattr(recipe, name) == next(f for f in fields(GANRecipe) if f.name == name).default
    data = Imported("cifar10", 32) if recipe is presets.sngan32 else Faces(size=recipe.model.size)
    assert recipe.data == data and recipe.space == "rgb"
    assert set(recipe.interventions) <= {DiffAugment(), WarmStart(4)}


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_preset_fits_its_images(name):
    """Its nets are shaped for its images; the light ones are trained above."""
    preset = PRESETS[name]
    assert preset.model.size == preset.data.size == (32 if name == "sngan32" else 64)


def test_sngan32_has_the_published_game():
    """Miyato et al. 2018, table 3 and appendix B; 100,000 steps of G as in mimicry."""
    recipe = PRESETS["sngan32"]
    assert recipe.model == SNGAN(width=64, z_dim=128, size=32, classes=0)
    assert recipe.objective == GANLoss("hinge")
    assert (recipe.beta1, recipe.beta2, recipe.batch, recipe.critic_steps) == (0.0, 0.9, 64, 5)
    steps_of_D = recipe.epochs * (50_000 // recipe.batch)
    assert steps_of_D // recipe.critic_steps == pytest.approx(100_000, rel=1e-3)
    rates = [value_at(recipe.lr_D, StepContext(0, epoch, 0)) for epoch in (0, 320, 639)]
    assert recipe.lr_D == recipe.lr_G and rates == pytest.approx([2e-4, 1e-4, 2e-4 / 640])
    assert (recipe.augment, recipe.interventions, recipe.ema_half_life) == ((), (), None)


def test_the_published_numbers():
    assert PRESETS["sngan64"].critic_steps == PRESETS["wgan-gp64"].critic_steps == 5
    assert PRESETS["wgan-gp64"].penalties == (GradientPenalty(10.0),)
    assert (PRESETS["sagan64"].lr_D, PRESETS["sagan64"].lr_G) == (4e-4, 1e-4)
    for big in (PRESETS["biggan64"], PRESETS["biggan-deep64"]):
        assert (big.lr_G, big.lr_D, big.critic_steps) == (5e-5, 2e-4, 2)
        assert (big.beta1, big.beta2) == (0.0, 0.999)
        # Per step of G, before which D has seen two batches
        assert 0.5 ** (2 * big.batch / big.ema_half_life) == pytest.approx(0.9999)
    r3, context = PRESETS["r3gan64"], [StepContext(0, epoch, 0) for epoch in (0, 2000)]
    assert [value_at(r3.lr_G, at) for at in context] == pytest.approx([2e-4, 5e-5])
    assert [value_at(r3.penalties[0].gamma, at) for at in context] == pytest.approx([2.0, 0.2])


@pytest.mark.parametrize("name", [name for name in LIGHT if not name.startswith("dcgan")])
def test_light_presets_share_all_but_nets_objectives_and_rates(name):
    found = codec.differences(PRESETS["dcgan64-hinge"], PRESETS[name])
    told = {path.partition(".")[0] for path in found}
    allowed = {"model", "objective", "penalties", "critic_steps", "lr_D", "lr_G"}
    if name.startswith(("fastgan", "stylegan2")):
        allowed |= {"batch"} | ({"data"} if "128" in name else set())
    assert told <= allowed


@pytest.mark.parametrize("size", [64, 128])
def test_fastgan_and_stylegan2_have_the_rates_of_their_programs(size):
    fast, style = PRESETS[f"fastgan{size}"], PRESETS[f"stylegan2-{size}"]
    assert (fast.lr_D, fast.lr_G, fast.beta1, fast.beta2) == (2e-4, 2e-4, 0.0, 0.99)
    assert fast.objective == GANLoss("hinge") and fast.penalties == (Reconstruction(),)
    assert fast.model.lite and fast.model.size == fast.data.size == size
    assert (style.lr_D, style.lr_G, style.beta1, style.beta2) == (2.5e-3, 2.5e-3, 0.0, 0.99)
    (r1,) = style.penalties
    assert r1.every == 16 and r1.gamma == pytest.approx(2e-4 * size**2 / style.batch, rel=0.03)
    assert style.objective == GANLoss() and style.model.size == style.data.size == size
