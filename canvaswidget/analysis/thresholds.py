"""The thresholds above which a layer's largest contributions make a given part of its total, without sorting them.

A layer's contributions neither fit in memory nor need to be sorted. A first sweep adds up the totals and sorts some
of the contributions into bins by the leading bits of their float32 pattern (patterns order like the numbers), which
tells about where the threshold lies. A second sweep adds up every contribution above a narrow bracket around that
place and looks at every single one within. Together they prove where the threshold is, or to which side of the
bracket; then the bracket moves there. Where it is not there either (some giants that the sample missed), a sweep that
bins every value says where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.sweeps import buffers
from canvaswidget.tracing.layers import Layer

SHIFT = 16  # bits of a float32 below its bin: bins are 0.8% wide
BINS = 2**15
INFINITE = 0x7F80  # the first bin of what is no number
# Every 31st value is put in a bin where there are many: an odd step meets all phases of a map, which repeats itself in
# powers of two.
STEP, FEW = 31, 2**16
WIDTH = 2**15  # different float32 values in a bracket: 0.2% to 0.4% of the threshold
WIDER = 4  # times that, where it is looked for again
MAX_HELD = 2**23  # values whose pixels are remembered, a level; beyond, one more sweep counts


# --- the first sweep --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """Of a chunk, or of a whole layer: sums, and how many of some magnitudes have which leading bits."""

    neuron_abs: Any
    pixel_abs: Any
    histogram: Any

    @classmethod
    def of(cls, maps: torch.Tensor) -> Totals:
        values = buffers.magnitudes(maps)
        some = values.view(torch.int32).flatten()[:: STEP if values.numel() > FEW else 1]
        return cls(
            values.sum(1).cpu().numpy(),
            # In double precision: equal contributions must not exceed their own mean by rounding.
            _over_neurons(values, np.float64),
            torch.bincount(some >> SHIFT, minlength=BINS).cpu().numpy(),
        )

    @property
    def total(self) -> float:
        return float(self.neuron_abs.sum(dtype=np.float64))


def _over_neurons(values: torch.Tensor, dtype: Any) -> npt.NDArray[Any]:
    """Sums over the first axis: on a CPU NumPy adds whole rows, several times faster than torch."""
    return np.add.reduce(values.cpu().numpy(), axis=0, dtype=dtype)


def add_totals(chunks: Any, n_neurons: int, n_pixels: int, layer: Layer) -> Totals:
    """Of the whole layer, from those of its chunks; ValueError where a contribution is infinite or no number."""
    totals = Totals(np.zeros(n_neurons, np.float32), np.zeros(n_pixels), np.zeros(BINS, np.int64))
    done = 0
    for chunk in chunks:
        totals.neuron_abs[done : done + len(chunk.neuron_abs)] = chunk.neuron_abs
        done += len(chunk.neuron_abs)
        np.add(totals.pixel_abs, chunk.pixel_abs, out=totals.pixel_abs)
        np.add(totals.histogram, chunk.histogram, out=totals.histogram)
    lost = int((~np.isfinite(totals.pixel_abs)).sum())
    if lost:
        raise ValueError(
            f"layer={layer.name!r}: contributions to {lost:,} pixels are infinite or no numbers, so they have no shares"
        )
    return totals


# --- the second sweep -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What one chunk adds to a bracket."""

    mass_above: float
    pixels_above: npt.NDArray[np.int32]
    within: npt.NDArray[np.int32]  # patterns of the values within, less that of the bracket's lower end
    places: npt.NDArray[np.int32]  # their pixels


@dataclass
class Bracket:
    """A range of float32 patterns around a threshold, and what was found above and within it."""

    target: float  # the sum of the values from the threshold up
    low: int  # the pattern it begins with
    n_pixels: int
    width: int = WIDTH
    threshold: float | None = None
    settled: bool = False
    misses: int = 0
    pinned: bool = False
    mass_above: float = 0.0
    pixels: npt.NDArray[np.int32] = field(init=False)
    within: npt.NDArray[np.int64] = field(init=False)
    held: npt.NDArray[np.int32] = field(init=False)  # rows of pattern and pixel, as many as `n_held`
    n_held: int = 0

    def __post_init__(self) -> None:
        self._empty()

    @classmethod
    def around(cls, totals: Totals, level: float, n_pixels: int) -> Bracket:
        """Where the threshold lies if values are spread evenly within each bin."""
        target = (1 - level) * totals.total
        if not target:
            return cls(0.0, 0, n_pixels, threshold=0.0, settled=True)
        middles = ((np.arange(BINS, dtype=np.int32) << SHIFT) + (1 << SHIFT - 1)).view(np.float32)
        masses = totals.histogram[:INFINITE] * middles[:INFINITE].astype(np.float64)
        masses *= totals.total / (masses.sum() or 1)
        place, missing = _bin_of(masses, target)
        pattern = int((place + 1 - min(max(missing, 0), 1)) * (1 << SHIFT))
        return cls(target, max(pattern - WIDTH // 2, 0), n_pixels)

    def pin(self, masses: npt.NDArray[np.float64]) -> None:
        """To the bin where the threshold is for certain, but for the rounding of sums."""
        if self.threshold is None and self.misses > 1:
            self.low, self.width, self.pinned = _bin_of(masses, self.target)[0] << SHIFT, 1 << SHIFT, True
            self._empty()

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest value within and the smallest above."""
        if self.threshold is not None:
            return self.threshold, self.threshold
        patterns = np.array([self.low, min(self.low + self.width, INFINITE << SHIFT)], np.int32)
        low, high = patterns.view(np.float32)
        return float(low), float(high)

    def add(self, part: Part) -> None:
        self.mass_above += part.mass_above
        self.pixels += part.pixels_above
        if not len(part.within):
            return
        self.within += np.bincount(part.within, minlength=self.width)
        start, self.n_held = self.n_held, self.n_held + len(part.within)
        if self.n_held > MAX_HELD:
            self.held = np.empty((2, 0), np.int32)
            return
        # Into one array that grows: small ones kept from every chunk would settle in the gaps between the large ones
        # and make the process grow by a map a chunk.
        if self.n_held > self.held.shape[1]:
            grown = np.empty((2, max(2 * self.n_held, 2**16)), np.int32)
            grown[:, :start] = self.held[:, :start]
            self.held = grown
        self.held[:, start : self.n_held] = part.within, part.places

    def settle(self) -> None:
        """Find the threshold within, or move; know the pixels, or ask for one more sweep that counts them."""
        if self.threshold is not None:
            self.settled = True
            return
        patterns = np.arange(self.low, self.low + self.width, dtype=np.int64).astype(np.int32)
        sums = self.within * patterns.view(np.float32).astype(np.float64)
        reached = self.mass_above + np.cumsum(sums[::-1])[::-1]
        if not self.pinned and not self.mass_above < self.target <= reached[0]:
            self._move(up=self.mass_above >= self.target)
            return
        found = np.flatnonzero(self.within)
        enough = reached[found] >= self.target
        place = int(found[enough][-1] if enough.any() else found[0])
        self.threshold = float(patterns[place : place + 1].view(np.float32)[0])
        if self.n_held <= MAX_HELD:
            within, places = self.held[:, : self.n_held]
            self.pixels += np.bincount(places[within >= place], minlength=self.n_pixels).astype(np.int32)
            self.held = np.empty((2, 0), np.int32)
            self.settled = True
        else:
            self._empty()

    def _move(self, up: bool) -> None:
        """To the range beside, and wider."""
        self.misses += 1
        high, self.width = self.low + self.width, WIDER * self.width
        if up:
            self.low = high
        else:
            self.width = min(self.width, self.low) or 1
            self.low -= self.width
        self._empty()

    def _empty(self) -> None:
        self.mass_above, self.n_held = 0.0, 0
        self.pixels = np.zeros(self.n_pixels, np.int32)
        self.within = np.zeros(self.width, np.int64)
        self.held = np.empty((2, 0), np.int32)


def _bin_of(masses: npt.NDArray[np.float64], target: float) -> tuple[int, float]:
    """The highest bin down to which there is enough, and which part of it is needed."""
    above = np.cumsum(masses[::-1])[::-1]
    enough = np.flatnonzero(above >= target)
    place = int(enough[-1]) if len(enough) else int(np.flatnonzero(masses)[0]) if masses.any() else 0
    return place, (target - (above[place] - masses[place])) / (masses[place] or 1)


def masses_of(maps: torch.Tensor) -> npt.NDArray[np.float64]:
    """The sum of the magnitudes in each bin, every one counted."""
    values = buffers.magnitudes(maps).flatten().cpu().numpy()
    return np.bincount(values.view(np.int32) >> SHIFT, weights=values, minlength=BINS).astype(np.float64)


class Counter:
    """The second sweep's reduction: what exceeds a fair share, what lies above and within each bracket."""

    def __init__(self, fair: torch.Tensor | None, brackets: Sequence[Bracket]) -> None:
        self.fair = fair
        self.brackets = [(bracket.low, *bracket.ends) for bracket in brackets]

    def __call__(self, maps: torch.Tensor) -> tuple[npt.NDArray[np.int64] | None, list[Part]]:
        values = buffers.magnitudes(maps)
        own_pixels = None
        # Comparisons write floats: torch compares into booleans and adds those up several times slower.
        marks = buffers.like(values, "marks")
        if self.fair is not None:
            own_pixels = torch.gt(values, self.fair, out=marks).sum(1).long().cpu().numpy()
        return own_pixels, [self._part(values, marks, *bracket) for bracket in self.brackets]

    def _part(self, values: torch.Tensor, marks: torch.Tensor, pattern: int, low: float, high: float) -> Part:
        torch.ge(values, high, out=marks)
        pixels = _over_neurons(marks, np.float32).astype(np.int32)
        mass = float(marks.mul_(values).sum(1).sum(dtype=torch.float64))
        within = _between(values, low, high)
        patterns = values.view(torch.int32).flatten()[within] - pattern
        places = (within % values.shape[1]).int()
        return Part(mass, pixels, patterns.cpu().numpy(), places.cpu().numpy())


class Over:
    """Counts the neurons of each pixel whose magnitude is larger than each threshold."""

    def __init__(self, thresholds: npt.NDArray[np.float32]) -> None:
        self.thresholds = [float(threshold) for threshold in thresholds]

    def __call__(self, maps: torch.Tensor) -> npt.NDArray[np.int32]:
        values = buffers.magnitudes(maps)
        marks = buffers.like(values, "marks")
        counts = [
            _over_neurons(torch.gt(values, threshold, out=marks), np.float32) for threshold in self.thresholds
        ]
        return np.stack(counts).astype(np.int32)


def _between(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Flat indices of the values in ``[low, high)``, few of many: on a CPU NumPy finds them several times faster."""
    if values.device.type != "cpu":
        return ((values >= low) & (values < high)).flatten().nonzero().flatten()
    array = values.numpy()
    marked = np.greater_equal(array, np.float32(low))
    marked ^= np.greater_equal(array, np.float32(high))
    return torch.from_numpy(np.flatnonzero(marked))
