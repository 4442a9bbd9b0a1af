"""Pixels of a neuron and neurons of a pixel, estimated from columns at some of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.ratio_sums import RatioSums
from canvaswidget.analysis.sampled import (
    FIRST,
    Draw,
    PixelTotals,
    Sampling,
    draw,
    feed,
    missed,
    with_norms,
)
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.columns import Columns, Pixels

FloatArray = npt.NDArray[np.float32]

SHIFT = 10  # bits of a float32 below its bin: bins are 0.012% wide, at most
BINS = 2 ** (31 - SHIFT)
PIXELS = 128  # whose neurons are counted, at least, once the thresholds are known


class SampledSpread(NamedTuple):
    """What `distribution` counts and adds up, estimated.

    Attributes
    ----------
    neuron_abs, neuron_low, neuron_high : (n,)
    pixel_abs : (height, width)
        Exact at the pixels that were drawn, NaN elsewhere.
    pixels_per_neuron, low, high : (n,)
    thresholds : (levels,)
    neurons_per_pixel : (levels, height, width)
        At some of the pixels that were drawn, NaN elsewhere.
    sampling : Sampling
    """

    neuron_abs: FloatArray
    neuron_low: FloatArray
    neuron_high: FloatArray
    pixel_abs: FloatArray
    pixels_per_neuron: FloatArray
    low: FloatArray
    high: FloatArray
    thresholds: FloatArray
    neurons_per_pixel: FloatArray
    sampling: Sampling


class FairShares:
    """How often every neuron has more than one n-th of a pixel's total, and its total."""

    def __init__(self, columns: Columns) -> None:
        whole = np.array([np.prod(columns.size)])
        self.above, self.totals = (RatioSums(whole, columns.n_neurons) for _ in range(2))

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        values = magnitudes[0]
        inside = torch.ones(len(values), 1, device=values.device)
        fair = (values.sum(1, keepdim=True, dtype=torch.float64) / values.shape[1]).float()
        self.above.take((values > fair).float(), inside)
        self.totals.take(values, inside)

    def close(self) -> None:
        self.above.close()
        self.totals.close()

    def half_width(self) -> float:
        """Half of the interval of a neuron's number of pixels, as a part of it: the median over those that have any."""
        part, low, high = (one[0] for one in self.above.shares())
        known = part > 0
        return float(np.median((high - low)[known] / 2 / part[known])) if known.any() else 0.0


class Masses:
    """The sum of all magnitudes that have the same leading bits: what a threshold is found by."""

    def __init__(self) -> None:
        self.masses = np.zeros(BINS)

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        values = magnitudes[0].flatten().cpu().numpy()
        self.masses += np.bincount(values.view(np.int32) >> SHIFT, values, BINS)

    def close(self) -> None:
        pass

    def threshold(self, level: float) -> float:
        """Above it are the largest magnitudes that make all but `level` of the total."""
        reached = np.cumsum(self.masses[::-1])[::-1]
        if not reached[0]:
            return 0.0
        place = np.flatnonzero(reached >= (1 - level) * reached[0])[-1]
        return float(np.array(place << SHIFT, np.int32).view(np.float32))


class NeuronsOver:
    """How many neurons of each pixel reach each threshold; NaN where no column was taken in."""

    def __init__(self, columns: Columns, thresholds: Sequence[float]) -> None:
        self.thresholds = thresholds
        self.counts = np.full((len(thresholds), *columns.size), np.nan, np.float32)

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        y, x = pixels.T
        for counts, threshold in zip(self.counts, self.thresholds, strict=True):
            counts[y, x] = (magnitudes[0] >= threshold).sum(1).cpu().numpy()

    def close(self) -> None:
        pass


def sampled_spread(planned: Draw, levels: Sequence[float], progress: Progress) -> SampledSpread:
    """Estimate what `distribution` counts. The first lattices are drawn again once the thresholds are known."""
    columns = planned.columns
    shares, masses, pixels = FairShares(columns), Masses(), PixelTotals(columns)
    half_width = draw(planned, [shares, masses, pixels], shares.half_width, progress)
    n_lattices = int(shares.above.clusters[0])
    thresholds = [masses.threshold(level) for level in levels]
    over = NeuronsOver(columns, thresholds)
    again = min(n_lattices, max(FIRST, -(-PIXELS * n_lattices // pixels.n_pixels)))
    if not shares.above.left[0]:
        again = n_lattices
    with steps(columns.layer.name, "pass", progress, again * columns.passes_a_draw) as counted:
        for number in range(again):
            feed(columns, columns.lattice(number), [over])
            counted.take(columns.passes_a_draw)
    total, low, high = (one[0] for one in shares.totals.totals())
    unseen = np.zeros(len(total), bool)
    if shares.totals.left[0]:
        norms = columns.norms(columns.frames[0])
        unseen = missed(norms, high)
        total, low, high = with_norms(norms, total, low, high)
    count, fewest, most = (one[0] * pixels.images[0].size for one in shares.above.shares())
    return SampledSpread(
        total.astype(np.float32),
        low.astype(np.float32),
        high.astype(np.float32),
        pixels.images[0].astype(np.float32),
        count.astype(np.float32),
        fewest.astype(np.float32),
        most.astype(np.float32),
        np.array(thresholds, np.float32),
        over.counts,
        planned.sampling("each neuron's number of pixels", half_width, pixels.n_pixels, int(unseen.sum())),
    )
