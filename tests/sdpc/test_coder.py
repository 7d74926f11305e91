"""Fit, encode, decode, denoise."""

import numpy as np
import pytest
import torch

from bascule.core.errors import UserError
from bascule.metrics.ssim import ssim
from bascule.runs.execute import execute
from bascule.sdpc.coder import AT_ONCE, Coder
from bascule.sdpc.denoising import denoised
from bascule.sdpc.model import Inference, infer
from bascule.sdpc.preprocess.window import Window


@pytest.fixture(scope="module")
def pictures():
    from bascule.data.faces import Faces

    return np.array(Faces(n=40, size=32, held_out=0.25).load().pixels)


@pytest.fixture
def coder(tiny_sdpc, pictures):
    return Coder(tiny_sdpc.replace(epochs=6)).fit(pictures[:30])


def test_fitting_is_what_a_run_does(tiny_sdpc, make_run, store, same):
    run = make_run(tiny_sdpc)
    execute(run, store)
    images = tiny_sdpc.data.load()
    coder = Coder(tiny_sdpc).fit(images.pixels[images.indices("train")])
    assert same(coder.network.state_dict(), run.load_checkpoint()["game"]["network"])


def test_codes_are_those_of_the_prepared_pictures(coder, pictures):
    assert len(pictures) > AT_ONCE  # several blocks
    coded = coder.encode(pictures)
    y, _ = coder.recipe.prepared(torch.from_numpy(pictures[35:38]))
    codes = infer(coder.network, y, coder.recipe.settle)
    for ours, theirs in zip(coded.codes.maps, codes.maps, strict=True):
        torch.testing.assert_close(ours[35:38], theirs, rtol=1e-3, atol=1e-4)
    assert torch.equal(coded.codes.iterations[35:38], codes.iterations)


def test_settling_goes_on_from_codes_of_pictures_much_like_these(coder, pictures):
    assert len(pictures) > AT_ONCE  # every block starts at its own codes
    how = coder.recipe.settle.replace(tolerance=1e-4, max_iterations=5000)
    cold, changed = coder.encode(pictures, how), pictures.copy()
    changed[:, :, 14:18, 14:18] += 2
    from_zero, from_near = coder.encode(changed, how), coder.encode(changed, how, start=cold)
    assert from_near.codes.iterations.sum() < 0.7 * from_zero.codes.iterations.sum()
    for ours, theirs in zip(from_near.codes.maps, from_zero.codes.maps, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
    assert coder.encode(pictures, how, start=cold).codes.iterations.max() <= 2
    with pytest.raises(UserError, match=r"the start is .* expected"):
        coder.encode(pictures, how, start=coder.encode(pictures[:3]))


def test_pictures_come_back_better_than_their_low_band_alone(coder, pictures):
    coded = coder.encode(pictures)
    clean = torch.from_numpy(pictures).float()

    def likeness(made):
        return ssim(torch.from_numpy(made).float(), clean, 255.0).mean()

    low = coder.decode(
        coder.encode(
            pictures, coder.recipe.settle.replace(max_iterations=1, step_sizes=(1e-9, 1e-9))
        )
    )
    first, second = coder.decode(coded, 1), coder.decode(coded, 2)
    assert first.shape == pictures.shape and first.dtype == np.uint8
    assert likeness(first) > likeness(second) > likeness(low)


def test_noise_is_taken_away(coder, pictures):
    found = denoised(coder, pictures[30:], 0.3, [0.0, 4.0], seed=1)
    assert list(found.pictures) == [
        "noisy", "layer1-kfb0", "layer2-kfb0", "layer1-kfb4", "layer2-kfb4",
    ]  # fmt: skip
    values = found.ssim()
    assert values["layer1-kfb0"] > values["noisy"] + 0.02
    assert found.sheet().size == (6 * 34 - 2, 10 * 34 - 2)
    by_hand = coder.denoise(found.pictures["noisy"], 2, coder.recipe.settle.replace(k_fb=4.0))
    assert np.array_equal(by_hand, found.pictures["layer2-kfb4"])
    again = denoised(coder, pictures[30:], 0.3, [0.0], seed=1)
    assert np.array_equal(again.pictures["noisy"], found.pictures["noisy"])
    noise = found.pictures["noisy"].astype(float) - pictures[30:]
    inside = (found.pictures["noisy"] > 60) & (found.pictures["noisy"] < 195)
    assert noise[inside].std() == pytest.approx(0.3 * 127.5, rel=0.15)
    assert "noisy" not in denoised(coder, pictures[:1], 0.0, [1.0]).pictures


def test_bad_input_is_refused(coder, tiny_sdpc, pictures):
    with pytest.raises(UserError, match="not fitted yet"):
        Coder(tiny_sdpc).encode(pictures)
    with pytest.raises(UserError, match="5 pictures are fewer than one batch of 10"):
        Coder(tiny_sdpc).fit(pictures[:5])
    with pytest.raises(UserError, match=r"expected uint8 \(N, 3, 32, 32\)"):
        coder.encode(pictures[..., :16])
    with pytest.raises(UserError, match="layer=3: expected 1 to 2"):
        coder.decode(coder.encode(pictures[:1]), 3)
    flat = pictures[:3].copy()
    flat[1] = 7
    with pytest.raises(UserError, match="image 1 is constant"):
        coder.encode(flat)
    recipe = tiny_sdpc.replace(preprocess=(Window(),), epochs=1)
    other = Coder(recipe).fit(pictures[:10])
    with pytest.raises(UserError, match=r"Window.* cannot be undone"):
        other.decode(other.encode(pictures[:2], Inference(tolerance=1.0)))
