"""The scale of Cauchy variables, and how far off its estimate is.

A weighted sum of a map's values, with an independent standard Cauchy weight for each, is Cauchy around 0 with the map's
L1 norm as its scale (Indyk, J. ACM 53, 2006).
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
SIMULATIONS = 20_000


def cauchy_scale(values: npt.NDArray[np.floating]) -> Doubles:
    """The scale of Cauchy variables around 0 along the first axis, by maximum likelihood; 0 where all are 0."""
    squares = np.square(values.astype(np.float64))
    scale = np.square(np.median(np.abs(values), 0).astype(np.float64))
    scale = np.where(scale > 0, scale, squares.mean(0))
    start = np.where(scale > 0, scale, 1.0)
    logarithm = np.log(start)
    # Newton's method on the logarithm of the squared scale; the likelihood has one maximum.
    for _ in range(12):
        share = squares / (squares + np.exp(logarithm))
        slope = (share * (1 - share)).sum(0)
        step = (share.sum(0) - len(values) / 2) / np.maximum(slope, 1e-3)
        logarithm = logarithm + np.clip(step, -2, 2)
    return np.where(scale > 0, np.exp(logarithm / 2), 0.0)


@functools.cache
def cauchy_errors(count: int, level: float) -> tuple[float, float]:
    """The factors of the true scale between which `cauchy_scale` of `count` values lies at a level, by simulation."""
    rng = np.random.default_rng(count)
    estimates = cauchy_scale(rng.standard_cauchy((count, SIMULATIONS)))
    below, above = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return float(below), float(above)
