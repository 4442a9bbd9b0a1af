"""Sums of every neuron's magnitudes over regions, estimated from columns at some of their pixels.

Lattices of the whole frame serve all regions together. Regions that they give too few pixels are asked for themselves,
pixel by pixel, so that a region of few pixels is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.partitions import Masks
from canvaswidget.analysis.ratio_sums import RatioSums
from canvaswidget.analysis.sampled import GROWTH, Draw, Sampling, draw, missed, with_norms
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.columns import Columns, Norms, Pixels

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Width = Callable[["SampledRegions", DoubleArray, DoubleArray, DoubleArray], DoubleArray]

SMALL = 1 / 64  # of the frame: smaller regions are asked for themselves
LEAST = 24  # pixels of a region that are asked for at first; one of so many is exact
TRIED = 64  # passes that a pixel is offered to before it gets its own
UNSEEN = 3.0  # an event that was not seen in n tries has a chance of at most 3 / n, at 95%
CHUNK = 2**14  # neurons whose intervals are computed together


class SampledSums(NamedTuple):
    """What `canvaswidget.analysis.sweeps.RegionSums` has, estimated.

    Attributes
    ----------
    regions : (n, r)
    region_low, region_high : (n, r)
        Their intervals.
    total, total_low, total_high : (n,)
        Over all pixels.
    low, high : (n,)
        The smallest and the largest value of the pixels that were drawn.
    n_pixels : int
        Of the frame.
    sampling : Sampling
    """

    regions: FloatArray
    region_low: FloatArray
    region_high: FloatArray
    total: FloatArray
    total_low: FloatArray
    total_high: FloatArray
    low: FloatArray
    high: FloatArray
    n_pixels: int
    sampling: Sampling


class SampledRegions:
    """Collects columns by region; the last region is the whole frame."""

    def __init__(self, masks: Masks, columns: Columns) -> None:
        whole = np.ones((1, *columns.size), bool)
        self.masks = np.concatenate([masks, whole])
        self.ratio = RatioSums(self.masks.sum((1, 2)), columns.n_neurons)
        self.low = np.full(columns.n_neurons, np.inf, np.float32)
        self.high = np.zeros(columns.n_neurons, np.float32)
        self.drawn = np.zeros(columns.size, bool)  # by lattices
        self.seen = np.zeros(columns.size, bool)  # with those that were asked for themselves
        self.is_small = _small(self.ratio.sizes, len(columns))
        self._alone: dict[int, Pixels] = {}  # of small regions: their pixels that no lattice has, shuffled
        self._generator = np.random.default_rng([columns.seed, 2])

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        y, x = pixels.T
        self.drawn[y, x] = self.seen[y, x] = True
        self._take(magnitudes[0], self.masks[:, y, x].T)

    def close(self) -> None:
        self.ratio.close()

    def _take(self, values: torch.Tensor, inside: npt.NDArray[np.bool_]) -> None:
        self.ratio.take(values, torch.from_numpy(inside.astype(np.float32)).to(values.device))
        low, high = values.aminmax(dim=0)
        np.minimum(self.low, low.cpu().numpy(), out=self.low)
        np.maximum(self.high, high.cpu().numpy(), out=self.high)

    def half_widths(self, width: Width) -> DoubleArray:
        """``(r,)``: half-widths of intervals, the median over neurons; 0 of a region that has no pixels."""
        total, low, high = self.ratio.totals(self.ratio.some())
        with np.errstate(invalid="ignore", divide="ignore"):
            widths = width(self, total, low, high)
        found = np.zeros(len(widths))
        for place, row in enumerate(widths):
            known = row[~np.isnan(row)]
            found[place] = np.median(known) if len(known) and self.ratio.sizes[place] else 0
        return found

    def draw_inside(self, planned: Draw, width: Width, progress: Progress) -> None:
        """Ask for pixels of small regions until their intervals are narrow enough, too."""
        columns, start = planned.columns, planned.columns.passes
        with steps(columns.layer.name, "pass", progress) as counted:
            while columns.passes - start < planned.target.most:
                wide = self.half_widths(width) > planned.target.accuracy
                few = self.ratio.counts < np.minimum(self.ratio.sizes, LEAST)
                open_regions = np.flatnonzero(self.is_small & (self.ratio.left > 0) & (wide | few))
                wanted = [self._next(int(region)) for region in open_regions]
                if not any(map(len, wanted)):
                    return
                owners = np.repeat(open_regions, [len(pixels) for pixels in wanted])
                groups = list(packed(np.concatenate(wanted), columns.spacing))
                counted.plan(len(groups) * columns.passes_a_draw)
                for group in groups:
                    self._take_alone(columns, np.concatenate(wanted)[group], owners[group])
                    counted.take(columns.passes_a_draw)

    def _next(self, region: int) -> Pixels:
        """The next pixels of a region, half as many as it has."""
        if region not in self._alone:
            left = np.argwhere(self.masks[region] & ~self.drawn)
            self._alone[region] = self._generator.permutation(left)
        have = int(self.ratio.counts[region])
        count = max(LEAST - have, math.ceil(have * (GROWTH - 1)))
        some, self._alone[region] = np.split(self._alone[region], [count])
        return some

    def _take_alone(self, columns: Columns, pixels: Pixels, owners: npt.NDArray[np.integer]) -> None:
        inside = owners[:, None] == np.arange(len(self.masks))
        for which, magnitudes in columns.at(pixels):
            self._take(magnitudes[0], inside[which])
        self.seen[pixels[:, 0], pixels[:, 1]] = True
        self.close()


def _small(sizes: DoubleArray, n_lattices: int) -> npt.NDArray[np.bool_]:
    """``(r,)``: which regions get too few pixels from lattices that serve all; the last region is the frame."""
    n_pixels = sizes[-1]
    small = sizes < max(SMALL * n_pixels, min(n_lattices, n_pixels / 2))
    if sizes[small].sum() >= n_pixels / 2:  # regions that make up the frame are all small
        small &= sizes < np.median(sizes[:-1]) / 2
    return small


def packed(pixels: Pixels, spacing: tuple[int, int]) -> Iterator[npt.NDArray[np.int64]]:
    """Divide pixels into groups, as places, of which no two are nearer than a spacing."""
    groups: list[list[int]] = []
    for place, pixel in enumerate(pixels):
        for group in groups[-TRIED:]:
            if (np.abs(pixels[group] - pixel) >= spacing).any(1).all():
                group.append(place)
                break
        else:
            groups.append([place])
    yield from map(np.array, groups)


def sampled_region_sums(
    planned: Draw, masks: Masks, number: str, width: Width, progress: Progress
) -> SampledSums:
    """Estimate sums over regions.

    Parameters
    ----------
    number : str
        What the half-width is of.
    width : callable
        Of the regions, and of their sums with intervals ``(r, k)`` for some of the neurons (`RatioSums.some`): the
        half-widths of the number, NaN where it does not count. `of_itself` or `of_even`, for example.
    """
    columns = planned.columns
    regions = SampledRegions(masks, columns)
    ratio = regions.ratio

    def widest_of_large() -> float:
        return float(regions.half_widths(width)[~regions.is_small].max())

    draw(planned, [regions], widest_of_large, progress)
    regions.draw_inside(planned, width, progress)
    norms = columns.norms(columns.frames[0]) if ratio.left[-1] > 0 else None
    parts = []
    unseen = np.zeros(columns.n_neurons, bool)
    for start in range(0, columns.n_neurons, CHUNK):
        some = slice(start, start + CHUNK)
        total, low, high = ratio.totals(some)
        if norms is not None:
            own = Norms(*(part[some] for part in norms))
            unseen[some] = missed(own, high[-1])
            # A region where the neuron was not seen, and those of a neuron that must have more than was seen.
            rare = UNSEEN / np.maximum(ratio.counts, 1) * ratio.sizes * ratio.left
            high = np.where(
                ratio.sums[:, some] == 0, np.maximum(high, rare[:, None] * regions.high[some]), high
            )
            beyond = ratio.sums[:, some] + np.maximum(own.high - ratio.sums[-1, some], 0)
            is_open = unseen[some] & (ratio.left[:, None] > 0)
            high = np.where(is_open, np.maximum(high, beyond), high)
            total[-1], low[-1], high[-1] = with_norms(own, total[-1], low[-1], high[-1])
        with np.errstate(over="ignore"):  # an end that is next to unknown is infinite
            parts.append([values.astype(np.float32) for values in (total, low, high)])
    total, low, high = (np.concatenate(each, 1).T for each in zip(*parts, strict=True))
    every = regions.half_widths(width)
    sampling = planned.sampling(
        number,
        float(every[:-1].max(initial=0) if len(masks) else every[-1]),
        int(regions.seen.sum()),
        int(unseen.sum()),
    )
    return SampledSums(
        total[:, :-1],
        low[:, :-1],
        high[:, :-1],
        total[:, -1],
        low[:, -1],
        high[:, -1],
        regions.low,
        regions.high,
        regions.drawn.size,
        sampling,
    )


def of_itself(
    regions: SampledRegions, total: DoubleArray, low: DoubleArray, high: DoubleArray
) -> DoubleArray:
    """Half-widths as parts of the sums; a sum of 0 does not count."""
    return (high - low) / 2 / np.where(total > 0, total, np.nan)


def of_even(regions: SampledRegions, total: DoubleArray, low: DoubleArray, high: DoubleArray) -> DoubleArray:
    """Half-widths of departures from even."""
    below, above = _departures(total, low, high, regions.ratio.sizes)
    return (above - below) / 2


def departure_intervals(sums: SampledSums, sizes: npt.NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
    """``(n, r)`` each: the intervals of how far sums over regions depart from what an even spread would give."""
    sizes = np.append(sizes, sums.n_pixels)
    low, high = np.empty_like(sums.regions), np.empty_like(sums.regions)
    for start in range(0, len(low), CHUNK):
        some = slice(start, start + CHUNK)
        total, below, above = (
            np.vstack([regions[some].T, whole[None, some]]).astype(np.float64)
            for regions, whole in (
                (sums.regions, sums.total),
                (sums.region_low, sums.total_low),
                (sums.region_high, sums.total_high),
            )
        )
        below, above = _departures(total, below, above, sizes)
        with np.errstate(over="ignore"):
            low[some], high[some] = below[:-1].T, above[:-1].T
    return low, high


def _departures(
    total: DoubleArray, low: DoubleArray, high: DoubleArray, sizes: npt.NDArray[np.number]
) -> tuple[DoubleArray, DoubleArray]:
    """``(r, n)`` each, the frame last. The errors of a sum and of the total are taken for independent of each other."""
    whole, least, most = total[-1:], low[-1:], high[-1:]
    share = (sizes / sizes[-1])[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        part = total / (whole * share)
        below = part * np.exp(-np.hypot(np.log(total / low), np.log(most / whole)))
        above = part * np.exp(np.hypot(np.log(high / total), np.log(whole / least)))
        below = np.where(low > 0, below, 0)
        above = np.where(total > 0, above, high / (least * share))
    unknown = ~(whole * share > 0)
    return np.where(unknown, np.nan, below - 1), np.where(unknown, np.nan, above - 1)
