"""The demo: it begins with faces that are recognisable and differ, and fits into its minutes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bascule.core.context import generator
from bascule.data.artist import Artist
from bascule.experiments.experiment import load
from bascule.experiments.schedule import plan
from bascule.models.shipped import told

FILE = Path(__file__).parents[1] / "experiments" / "perfect_g.py"
IMAGES_PER_S = 200  # two cores without bf16, measured: 110 each


@pytest.fixture(scope="module")
def quick():
    return load(FILE, quick=True)


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root mean square differences of pixels, (n, m)."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (some, others))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0) / a.shape[1])


def test_every_arm_begins_with_faces_that_differ(quick):
    """As near to real faces as other real faces are, and as far from each other."""
    artist = Artist("micah")
    real = np.stack([artist.draw(seed, 64)[0] for seed in range(150)])
    more = np.stack([artist.draw(seed, 64)[0] for seed in range(150, 214)])
    recipe = quick.arms["plain"].replace(device="cpu", precision="fp32", threads=1)
    z = torch.randn(64, recipe.z_dim, generator=generator("a test of the demo"))
    fake = recipe.build().sample(z).numpy()
    assert np.median(distances(fake, real).min(1)) < 1.2 * np.median(distances(more, real).min(1))
    apart = ~np.eye(64, dtype=bool)
    assert distances(fake, fake)[apart].mean() > 0.85 * distances(more, more)[apart].mean()
    assert all(arm.start == recipe.start for arm in quick.arms.values())


def test_its_faces_are_none_that_the_weights_have_seen(quick):
    data = quick.arms["plain"].data
    assert "first=10000" in told("faces64")["made"]
    assert data.style == "micah" and data.first + data.n <= 10_000
    assert "Micah Lanier" in told("faces64")["credit"]


def test_it_trains_for_less_than_four_minutes_on_two_cores(quick):
    jobs = plan(quick, quick.seeds)
    images = sum(job.epochs_to_do for job in jobs) * 540
    assert images / IMAGES_PER_S < 240
    assert {job.arm for job in jobs if job.trunk} == {"perfect G", "perfect G, strong noise"}
