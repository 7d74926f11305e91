"""Does a short series oscillate? A periodogram, tested against a simulated null distribution.

Neighbouring points of a training curve are correlated, and this alone gives high power at low
frequencies. So even curves without a period often have a peak of ten times the median. Therefore a
straight line is removed, then a first-order autoregression. The peak of the rest is compared with
peaks of white noise that was processed in the same way. This is Fisher's test for one hidden period
(1929), but with a grid of frequencies finer than Fourier's, which would miss periods between two
grid points. For such a grid the null distribution must be simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bascule.core.context import address
from bascule.core.errors import UserError

SHORTEST = 16  # points; in shorter series, waves as large as the noise are rarely detected
FEWEST_CYCLES = 3  # fewer cycles within the series look like a curved trend
FINER = 8  # grid points per Fourier frequency
NULL_DRAWS = 4000  # so p is a multiple of 1 / 4001


@dataclass(frozen=True)
class Oscillation:
    """The strongest wave of a series.

    period  points per cycle
    swing   the wave's amplitude (half its height), in units of the series
    peak    the largest value of the whitened series' periodogram, divided by its median
    share   about the share of the whitened variance that the wave explains, in (0, 1]
    p       the probability of such a share without any wave, at least 1 / 4001
    """

    period: float
    swing: float
    peak: float
    share: float
    p: float


def oscillation(series: Any) -> Oscillation | None:
    """The strongest wave of an evenly spaced ``series`` (N,); None if it would mean nothing.

    It means nothing for fewer than 16 points, and for a straight line. Periods are from 2 points to
    N / 3; a faster wave appears with a false, longer period. False alarms are too frequent for
    smooth random series (a sum of an autoregression): at 33 points, one in twenty has p < 0.01.
    Raises UserError unless the series is (N,) finite numbers.
    """
    x = np.asarray(series, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise UserError(f"series of shape {x.shape}: expected (N,) finite numbers")
    if len(x) < SHORTEST:
        return None
    level = _without_line(x[None])[0]
    if level.std() <= 1e-9 * max(1.0, np.abs(x).max()):
        return None
    power, frequencies = _whitened_spectrum(level[None])
    k = int(power[0].argmax())
    share = float(power[0, k])
    p = (1 + int((_null(len(x)) >= share).sum())) / (1 + NULL_DRAWS)
    return Oscillation(
        period=float(1 / frequencies[k]),
        swing=_swing(level, frequencies[k]),
        peak=share / float(np.median(power)),
        share=share,
        p=p,
    )


@cache
def _null(n: int) -> np.ndarray:
    """The peaks of white noise of ``n`` points, (NULL_DRAWS,)."""
    rng = np.random.default_rng(address("null of oscillation", n))
    power, _ = _whitened_spectrum(_without_line(rng.standard_normal((NULL_DRAWS, n))))
    peaks: np.ndarray = power.max(axis=1)
    return peaks


def _whitened_spectrum(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For detrended series (B, N): variance shares (B, F) at frequencies (F,), cycles per point."""
    memory = (level[:, 1:] * level[:, :-1]).sum(1) / (level[:, :-1] ** 2).sum(1)
    white = level[:, 1:] - memory[:, None] * level[:, :-1]
    white = white - white.mean(axis=1, keepdims=True)
    n = white.shape[1]
    power = np.abs(np.fft.rfft(white, FINER * n, axis=1)) ** 2
    power *= 2 / (n * (white**2).sum(1, keepdims=True))
    kept = slice(FEWEST_CYCLES * FINER, None)
    return power[:, kept], np.fft.rfftfreq(FINER * n)[kept]


def _without_line(x: np.ndarray) -> np.ndarray:
    """Series (B, N) minus the straight line that fits each best."""
    t = np.linspace(-1.0, 1.0, x.shape[1])
    line, _ = np.linalg.qr(np.stack([np.ones_like(t), t], axis=1))
    rest: np.ndarray = x - (x @ line) @ line.T
    return rest


def _swing(x: np.ndarray, frequency: float) -> float:
    angle = 2 * np.pi * frequency * np.arange(len(x))
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return float(np.hypot(*np.linalg.lstsq(waves, x, rcond=None)[0]))
