"""Sums over regions of values that every neuron has at every pixel, estimated from some of the pixels.

A sum is estimated by the ratio of what the drawn pixels of the region hold (Cochran, Sampling Techniques, 1977, chapter
9), with a t interval on the logarithm from how much clusters of pixels differ. Once all pixels of a region are drawn,
its sum is exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.accuracy import LEVEL

DoubleArray = npt.NDArray[np.float64]

SHOWN = 4096  # neurons that decide whether intervals are narrow enough


class RatioSums:
    """Sums over regions of values that every neuron has at every pixel, estimated from clusters of pixels.

    Attributes
    ----------
    sizes : (r,)
        Pixels of each region.
    sums : (r, n)
        Over the pixels that were drawn.
    counts, clusters : (r,)
        Pixels drawn of each region, and in how many clusters.
    """

    def __init__(self, sizes: npt.NDArray[np.integer], n_neurons: int) -> None:
        self.sizes = np.asarray(sizes, np.float64)
        shape = (len(sizes), n_neurons)
        self.sums, self._squares, self._with_count, self._now = (
            np.zeros(shape, np.float32) for _ in range(4)
        )
        self.counts, self.clusters, self._count_squares, self._count_now = (
            np.zeros(len(sizes)) for _ in range(4)
        )

    def take(self, values: torch.Tensor, inside: torch.Tensor) -> None:
        """Take in values ``(k, n)`` of some pixels, and which regions these are in, ``(k, r)``, as 0 or 1."""
        counts = inside.sum(0).cpu().numpy()
        some = np.flatnonzero(counts)
        chosen = inside[:, torch.from_numpy(some).to(inside.device)]
        self._now[some] += (chosen.T @ values).cpu().numpy()
        self._count_now[some] += counts[some]

    def close(self) -> None:
        """Count what was taken in as a cluster of each region that has pixels in it."""
        some = np.flatnonzero(self._count_now)
        found, counts = self._now[some], self._count_now[some]
        self.sums[some] += found
        self._with_count[some] += found * counts[:, None].astype(np.float32)
        self._squares[some] += np.square(found, out=found)
        self.counts[some] += counts
        self._count_squares[some] += counts**2
        self.clusters[some] += 1
        self._now[some] = 0
        self._count_now[some] = 0

    @property
    def left(self) -> DoubleArray:
        """``(r,)``: the part of each region that was not drawn."""
        return 1 - self.counts / np.maximum(self.sizes, 1)

    def means(self, some: slice = slice(None)) -> tuple[DoubleArray, DoubleArray]:
        """``(r, n)`` each: means over the regions, and their standard errors, inf where these are not known."""
        counts, clusters = np.maximum(self.counts, 1)[:, None], self.clusters[:, None]
        mean = self.sums[:, some] / counts
        squares = self._squares[:, some] - 2 * mean * self._with_count[:, some]
        squares += np.square(mean) * self._count_squares[:, None]
        squares *= (self.left / np.maximum(self.clusters - 1, 1) * self.clusters)[:, None]
        error = np.sqrt(np.maximum(squares, 0)) / counts
        return mean, np.where((clusters < 2) & (self.left[:, None] > 0), np.inf, error)

    @property
    def factors(self) -> DoubleArray:
        """``(r, 1)``: how many standard errors make half an interval."""
        from scipy import stats

        # Clusters' sums are skewed: with the full degrees of freedom, intervals of few clusters hold too little.
        return stats.t.ppf((1 + LEVEL) / 2, np.maximum(self.clusters - 1, 1) / 2)[:, None]

    def totals(self, some: slice = slice(None)) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """``(r, n)`` each: sums over the regions with their intervals, of values that are not negative."""
        mean, error = self.means(some)
        sizes = self.sizes[:, None]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            factor = np.exp(np.where(error > 0, self.factors * error / mean, 0))
            total = mean * sizes
            low = np.maximum(total / factor, self.sums[:, some])  # what was seen is there
            high = np.where(error > 0, total * factor, total)
        # Nothing is known of a region without a drawn pixel.
        unseen = ((self.counts == 0) & (self.sizes > 0))[:, None]
        return total, np.where(unseen, 0, np.minimum(low, total)), np.where(unseen, np.inf, high)

    def shares(self) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
        """``(r, n)`` each: for values that are 0 or 1, the part of each region where they are 1, with intervals.

        Wilson's, of as many independent pixels as have the observed standard error; between what was seen and the most
        that what was not seen can add.
        """
        part, error = self.means()
        counts, left = np.maximum(self.counts, 1)[:, None], self.left[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            count = np.where(
                (part > 0) & (part < 1) & (error > 0), part * (1 - part) / error**2, counts / left
            )
        factor = self.factors
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.square(factor) / np.maximum(count, 1e-9)
            middle = (part + reach / 2) / (1 + reach)
            half = np.sqrt(reach * (part * (1 - part) + reach / 4)) / (1 + reach)
        seen = part * (1 - left)
        low = np.where(left > 0, np.clip(middle - half, seen, part), part)
        high = np.where(left > 0, np.clip(middle + half, part, seen + left), part)
        return part, low, high

    def some(self) -> slice:
        """Some neurons, evenly spread, that stand for all where a median is enough."""
        return slice(None, None, max(1, self.sums.shape[1] // SHOWN))
