"""Known waves are found, and wandering is not taken for one."""

import numpy as np
import pytest

from bascule.core.errors import UserError
from bascule.metrics.oscillation import oscillation


def wave(n: int, period: float, phase: float = 0.3) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(n) / period + phase)


def autoregression(rng, count: int, n: int, memory: float) -> np.ndarray:
    x = np.zeros((count, n + 50))
    for k in range(1, n + 50):
        x[:, k] = memory * x[:, k - 1] + rng.standard_normal(count)
    return x[:, 50:]


@pytest.mark.parametrize("period", [4, 7.3, 10])
def test_a_known_sine_with_trend_and_noise(period):
    rng = np.random.default_rng(0)
    series = 3 + 0.1 * np.arange(40) + 2 * wave(40, period) + rng.normal(0, 0.2, 40)
    found = oscillation(series)
    assert found.period == pytest.approx(period, rel=0.04)
    assert found.swing == pytest.approx(2, rel=0.15)
    assert found.p < 0.001
    assert found.share > 0.5
    assert found.peak > 10


def test_a_pure_sine_holds_all_the_power():
    found = oscillation(wave(64, 8))
    assert found.share == pytest.approx(1, abs=0.05)
    assert found.swing == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9, 1.0])
def test_false_alarms_are_as_rare_as_p_says(memory):
    """Also of a random walk, whose raw periodogram peaks far above ten times its median."""
    rng = np.random.default_rng(1)
    found = [oscillation(x) for x in autoregression(rng, 500, 33, memory)]
    assert np.mean([o.p < 0.05 for o in found]) == pytest.approx(0.05, abs=0.03)
    if memory == 1.0:
        walks = np.cumsum(rng.standard_normal((100, 65)), axis=1)
        power = np.abs(np.fft.rfft(walks - walks.mean(1, keepdims=True)))[:, 1:32] ** 2
        assert np.mean(power.max(1) > 10 * np.median(power, 1)) > 0.9  # the rule of thumb fails


def test_a_transient_is_no_wave():
    rng = np.random.default_rng(2)
    for tau in (2, 5, 10):
        assert oscillation(5 * np.exp(-np.arange(40) / tau) + rng.normal(0, 0.1, 40)).p > 0.01


def test_it_is_silent_where_it_would_mean_nothing():
    assert oscillation(wave(15, 4)) is None
    assert oscillation(wave(16, 4)) is not None
    assert oscillation(np.full(30, 0.7)) is None
    assert oscillation(0.1 + 0.3 * np.arange(30)) is None


def test_the_same_series_gets_the_same_p():
    series = np.random.default_rng(3).normal(size=20)
    assert oscillation(series) == oscillation(series)
    assert oscillation(1000 * series).p == oscillation(series).p


@pytest.mark.parametrize("bad", [np.zeros((4, 9)), [1.0] * 20 + [np.nan]])
def test_bad_series_are_refused(bad):
    with pytest.raises(UserError, match=r"expected \(N,\) finite numbers"):
        oscillation(bad)
