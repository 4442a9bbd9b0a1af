"""The scale of Cauchy variables, and how far off its estimate is.

A weighted sum of a map's values, with an independent standard Cauchy weight for each, is Cauchy around 0 with the map's
L1 norm as its scale (Indyk, J. ACM 53, 2006).

The estimate is the geometric mean of the magnitudes: the logarithm of a standard Cauchy variable's magnitude has mean 0
and variance pi^2 / 4. Maximum likelihood would need a fifth fewer variables (its variance is 2 / s for s of them, here
it is 2.47 / s), but all of them in memory; a mean of logarithms is a running sum.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
LOG_VARIANCE = math.pi**2 / 4  # of the logarithm of a standard Cauchy variable's magnitude
SIMULATIONS = 20_000
MANY = 128  # variables whose mean of logarithms is normal


def log_magnitudes(values: npt.NDArray[np.floating]) -> Doubles:
    """What to add up over Cauchy variables; -inf where they are 0."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(values.astype(np.float64)))


def cauchy_scale(log_sum: npt.NDArray[np.floating], count: int) -> Doubles:
    """The scale of Cauchy variables around 0, from the sum of the logarithms of their magnitudes; 0 where all are 0."""
    return np.exp(log_sum.astype(np.float64) / count)


@functools.cache
def cauchy_errors(count: int, level: float) -> tuple[float, float]:
    """The factors of the true scale between which `cauchy_scale` of `count` variables lies at a level."""
    if count > MANY:
        from scipy import stats

        above = math.exp(stats.norm.ppf((1 + level) / 2) * math.sqrt(LOG_VARIANCE / count))
        return 1 / above, above
    rng, log_sum = np.random.default_rng(count), np.zeros(SIMULATIONS)
    for _ in range(count):
        log_sum += log_magnitudes(rng.standard_cauchy(SIMULATIONS))
    # The distribution of a mean of logarithms is symmetric.
    above = float(np.exp(np.quantile(np.abs(log_sum / count), level)))
    return 1 / above, above
