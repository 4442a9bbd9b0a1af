"""Change between frames, estimated from columns at the same pixels of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.ratio_sums import RatioSums
from canvaswidget.analysis.sampled import Draw, Sampling, Target, draw, missed, together
from canvaswidget.progress import Progress
from canvaswidget.tracing.columns import Columns, Pixels
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.protocol import CanvasLike

FloatArray = npt.NDArray[np.float32]

CHANGE = "each neuron's change between two frames"


class MeasuredChanges(NamedTuple):
    """What changes from each of some frames to the next; exact where there is no `sampling`.

    Attributes
    ----------
    change : (t, height, width)
        Of an estimate exact at the pixels that were drawn, NaN elsewhere.
    neuron_change, low, high : (t, n)
    sampling : Sampling
    """

    change: FloatArray
    neuron_change: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    sampling: Sampling | None = None


class Changes:
    """Collects how much magnitudes differ from each frame of the columns to the next."""

    def __init__(self, columns: Columns) -> None:
        self.images = np.full((len(columns.frames) - 1, *columns.size), np.nan)
        self.changes, self.totals = (
            RatioSums(np.full(count, np.prod(columns.size)), columns.n_neurons)
            for count in (len(columns.frames) - 1, len(columns.frames))
        )

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        for frame, values in enumerate(magnitudes):
            self.totals.take(values, _one_of(len(magnitudes), frame, values))
        for pair, (one, other) in enumerate(itertools.pairwise(magnitudes)):
            difference = (other - one).abs()
            self.changes.take(difference, _one_of(len(self.images), pair, difference))
            found = difference.sum(1, dtype=torch.float64)
            self.images[pair, pixels[:, 0], pixels[:, 1]] = found.cpu().numpy()

    def close(self) -> None:
        self.totals.close()
        self.changes.close()

    def half_width(self) -> float:
        """Half of the interval of a neuron's change, as a part of it: the median over neurons, of the widest pair."""
        total, low, high = self.changes.totals(self.changes.some())
        widest = 0.0
        for one, below, above in zip(total, low, high, strict=True):
            known = one > 0
            if known.any():
                widest = max(widest, float(np.median((above - below)[known] / 2 / one[known])))
        return widest


def _one_of(count: int, place: int, values: torch.Tensor) -> torch.Tensor:
    inside = torch.zeros(len(values), count, device=values.device)
    inside[:, place] = 1
    return inside


def sampled_changes(
    canvas: CanvasLike,
    layer: Layer,
    frames: Sequence[int],
    at_a_time: int,
    granularity: str | None,
    seed: int,
    target: Target,
    progress: Progress,
) -> MeasuredChanges:
    """Estimate changes, of `at_a_time` frames side by side."""
    parts = []
    for start in range(0, len(frames) - 1, at_a_time - 1):
        side_by_side = frames[start : start + at_a_time]
        parts.append(_part(Draw.of(canvas, layer, side_by_side, granularity, seed, target), progress))
    *arrays, samplings = zip(*parts, strict=True)
    return MeasuredChanges(*(np.concatenate(each) for each in arrays), sampling=together(samplings))


def _part(planned: Draw, progress: Progress) -> MeasuredChanges:
    columns = planned.columns
    found = Changes(columns)
    half_width = draw(planned, [found], found.half_width, progress)
    total, low, high = found.changes.totals()
    n_missed = 0
    if found.totals.left[0] > 0:
        norms = [columns.norms(frame) for frame in columns.frames]
        unseen = [missed(norm, above) for norm, above in zip(norms, found.totals.totals()[2], strict=True)]
        for pair, (one, other) in enumerate(itertools.pairwise(range(len(norms)))):
            either = unseen[one] | unseen[other]
            n_missed = max(n_missed, int(either.sum()))
            # What the columns miss may change by all that there is.
            most = norms[one].high + norms[other].high
            high[pair] = np.where(either, np.maximum(high[pair], most), high[pair])
    n_pixels = int(np.isfinite(found.images[0]).sum())
    sampling = planned.sampling(CHANGE, half_width, n_pixels, n_missed)
    return MeasuredChanges(
        *(values.astype(np.float32) for values in (found.images, total, low, high)), sampling=sampling
    )
