"""Totals of neurons and pixels from a tally, with 95 % intervals, and which passes would narrow them most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from canvaswidget.tracing.accuracy import LEVEL
from canvaswidget.tracing.cauchy import LOG_VARIANCE, cauchy_errors, cauchy_scale
from canvaswidget.tracing.tallies import Doubles, Floats, Tally

NORMAL = 1.96  # standard deviations that LEVEL is within
DISAGREE = 0.99  # level of the interval that a sample of pixels must meet to be believed
ENOUGH = 12  # clusters whose sums tell how much they vary; before that, the pairs in them do


class Estimate(NamedTuple):
    """Totals and their intervals."""

    total: Doubles
    low: Doubles
    high: Doubles


def of_neurons(tally: Tally, n_clusters: int, n_pairs: int) -> Estimate:
    """From the clusters or, where that is better founded, from the sketches."""
    total, low, high = _from_clusters(tally, n_clusters, n_pairs)
    norm = cauchy_scale(tally.log_sketches, tally.sketches)
    below, above = cauchy_errors(tally.sketches, LEVEL)
    wider = high - low > norm / below - norm / above
    use = (_missed(tally, norm, low, high) | wider | (total == 0)) & (norm > 0)
    dead = norm == 0
    return Estimate(
        np.where(use, norm, np.where(dead, 0, total)),
        np.where(use, norm / above, np.where(dead, 0, low)),
        np.where(use, norm / below, np.where(dead, 0, high)),
    )


def variance_of_a_pass(tally: Tally, n_clusters: int, n_pairs: int) -> tuple[float, float]:
    """Of a neuron's estimated total, relative to it, as one cluster and as one sketch would give it.

    The median over neurons. The variance of many passes is this divided by their number.
    """
    total, low, high = _from_clusters(tally, n_clusters, n_pairs)
    norm = cauchy_scale(tally.log_sketches, tally.sketches)
    variance = tally.drawn * np.square(_relative_error(tally, n_clusters))
    unreliable = _missed(tally, norm, low, high) | (total == 0)
    alive = norm > 0
    if not alive.any():
        return 0.0, LOG_VARIANCE
    return float(np.median(np.where(unreliable, np.inf, variance)[alive])), LOG_VARIANCE


def of_pixels(tally: Tally) -> tuple[Floats, Floats, Floats]:
    """The errors of the colours are of one sign at worst."""
    assert tally.log_pixels is not None
    total = cauchy_scale(tally.log_pixels, tally.pixel_sketches).sum(0)
    below, above = cauchy_errors(tally.pixel_sketches, LEVEL)
    return total.astype(np.float32), (total / above).astype(np.float32), (total / below).astype(np.float32)


def _missed(tally: Tally, norm: Doubles, low: Doubles, high: Doubles) -> np.ndarray:
    """Where the clusters can't be right: all of the map, which the sketches see, is larger or smaller."""
    below, above = cauchy_errors(tally.sketches, DISAGREE)
    return (high < norm / above) | (low > norm / below)


def _from_clusters(tally: Tally, n_clusters: int, n_pairs: int) -> Estimate:
    """The ratio estimate of every neuron's total, with a t interval on its logarithm."""
    from scipy import stats

    # Magnitudes are skewed: with the full degrees of freedom, intervals of 12 clusters held .93 of the totals.
    freedom = ((tally.drawn if tally.drawn >= ENOUGH else tally.pairs) - 1) / 2
    with np.errstate(over="ignore"):
        factor = np.exp(stats.t.ppf((1 + LEVEL) / 2, freedom) * _relative_error(tally, n_clusters))
    total = tally.magnitudes / tally.pairs * n_pairs
    return Estimate(total, total / factor, total * factor)


def _relative_error(tally: Tally, n_clusters: int) -> Doubles:
    """The standard deviation of each neuron's ratio estimate as a part of it; 0 where the clusters hold nothing.

    A lattice's pixels lie as evenly as can be, so that few clusters vary no more than as many pixels drawn one by one.
    """
    drawn = tally.drawn
    ratio = tally.magnitudes / tally.pairs
    if drawn >= ENOUGH:
        squares = tally.squares - 2 * ratio * tally.with_count + np.square(ratio) * tally.pair_squares
        variance = np.maximum(squares, 0) / (drawn - 1) / drawn / (tally.pairs / drawn) ** 2
    else:
        squares = tally.pair_magnitudes - tally.pairs * np.square(ratio)
        variance = np.maximum(squares, 0) / (tally.pairs - 1) / tally.pairs
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(ratio > 0, np.sqrt((1 - drawn / n_clusters) * variance) / ratio, 0)
