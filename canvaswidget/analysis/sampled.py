"""Findings from whole columns at some pixels: when, how many, and what a result says of it.

Lattices of pixels are drawn at random without replacement, see `canvaswidget.tracing.columns`, until the intervals of
what is asked for are narrow enough; `ratio_sums` says how these are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.accuracy import ACCURACY, EXACT_SECONDS, MOST_PASSES
from canvaswidget.tracing.bounded import bounded_totals
from canvaswidget.tracing.columns import Columns, Norms, Pixels
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import count_neurons
from canvaswidget.tracing.protocol import CanvasLike
from canvaswidget.tracing.reduce import Summary

FloatArray = npt.NDArray[np.float32]
Accuracy = float | Literal["auto"] | None

FIRST = 12  # lattices of the first look
GROWTH = 1.5  # of the number of lattices, from one look at the intervals to the next
TOTAL = "each neuron's total"


# --- what results say -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sampling:
    """How an estimate was made.

    Attributes
    ----------
    accuracy : float
        What was asked for.
    half_width : float
        What was reached: half of the 95% interval of `number`, in the median over neurons.
    number : str
        What this is the half-width of.
    passes : int
        Of the model that it cost, backward.
    n_pixels : int
        How many pixels' columns are known, on the frame with the fewest; 0 where pixels have single colours.
    n_missed : int
        Neurons that contribute more than their columns show, by a few pixels that were not drawn.
    is_part : bool
        Whether `half_width` is a part of the number; else it is in its unit.
    is_exact : bool
        Whether all pixels were drawn.
    is_saved : bool
        Whether it was read from a saved canvas.
    """

    accuracy: float
    half_width: float
    number: str
    passes: int
    n_pixels: int
    n_missed: int = 0
    is_part: bool = True
    is_exact: bool = False
    is_saved: bool = False

    @property
    def said(self) -> str:
        """``"± 4.2%"``."""
        return f"± {self.half_width:.1%}" if self.is_part else f"± {self.half_width:.3f}"

    def rows(self) -> list[list[str]]:
        """Of a result's table."""
        if self.is_exact:
            return [["passes of the model", f"{self.passes:,}, for the columns of all pixels"]]
        how = "accuracy=None computes the exact numbers"
        if self.is_saved:
            how = "as saved; trace the model, or save(..., accuracy=None), for exact numbers"
        more = (
            ""
            if self.is_saved or self.half_width <= self.accuracy
            else f", accuracy={self.accuracy:g} goes on"
        )
        missed = f"{self.n_missed:,}; their intervals are wider"
        return [
            ["estimated", f"{self.number} {self.said} (median of 95% intervals)"],
            *([["pixels drawn", f"{self.n_pixels:,}"]] if self.n_pixels else []),
            ["passes of the model", f"{self.passes:,}; {how}{more}"],
            *([["neurons with large contributions at few pixels", missed]] if self.n_missed else []),
        ]


class Estimated:
    """A result that is exact, or estimated from a sample of pixels."""

    sampling: Sampling | None = None

    @property
    def is_exact(self) -> bool:
        """Whether every map was computed, or the columns of all pixels."""
        return self.sampling is None or self.sampling.is_exact

    @property
    def passes(self) -> int:
        """Passes of the model that columns cost; 0 where every map was computed."""
        return 0 if self.sampling is None else self.sampling.passes

    @property
    def accuracy(self) -> float | None:
        """What was asked for; None where every map was computed."""
        return None if self.sampling is None else self.sampling.accuracy

    @property
    def half_width(self) -> float:
        """Half of the 95% interval of the finding's main number, in the median over neurons; 0 where it is exact."""
        return 0.0 if self.sampling is None else self.sampling.half_width

    def sampling_rows(self) -> list[list[str]]:
        """Rows of the table; none where it is exact."""
        return [] if self.sampling is None else self.sampling.rows()

    def estimated(self) -> tuple[str, ...]:
        """A part of a heading; none where it is exact."""
        return () if self.sampling is None or self.is_exact else (f"estimated, {self.sampling.said}",)


def filled(image: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """An image ``(height, width)`` with NaN replaced by the nearest number."""
    from scipy.ndimage import distance_transform_edt

    unknown = np.isnan(image)
    if unknown.all() or not unknown.any():
        return image
    _, nearest = cast(Any, distance_transform_edt(unknown, return_indices=True))
    return image[tuple(nearest)]


def interpolated(image: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The same with NaN replaced linearly between the numbers around it; outside of them all by the nearest."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    unknown = np.isnan(image)
    if unknown.all() or not unknown.any():
        return image
    found = image.copy()
    try:
        between = LinearNDInterpolator(np.argwhere(~unknown), image[~unknown])
        found[unknown] = between(np.argwhere(unknown))
    except QhullError:  # fewer than three numbers, or all in one line
        pass
    return filled(found)


# --- what is drawn --------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """How accurate an estimate is to be, and how many passes it may take at most."""

    accuracy: float
    most: float = math.inf


def target_of(
    canvas: CanvasLike,
    layer: Layer,
    frame: int,
    accuracy: Accuracy,
    granularity: str | None,
    sweeps: int = 1,
    as_released: bool = False,
) -> Target | None:
    """What a finding of a layer asks for; None where it is to be exact.

    Parameters
    ----------
    sweeps : int
        That the exact finding takes.
    as_released : bool
        Whether the finding is computed as published, which is always exact.
    """
    if as_released and isinstance(accuracy, float | int):
        raise ValueError(
            f"accuracy={accuracy!r}: as_released=True is what was published, and always exact; leave one of the two out"
        )
    if accuracy is None or as_released or not canvas.can_sample:
        return None
    if accuracy != "auto":
        return Target(accuracy)
    of_which = count_neurons(layer, granularity) / count_neurons(layer, None)
    seconds = canvas.estimate(layer, frame).seconds * of_which * sweeps
    return None if seconds <= EXACT_SECONDS else Target(ACCURACY, MOST_PASSES)


@dataclass(frozen=True)
class Draw:
    """Columns to be drawn until an estimate is what was asked for."""

    columns: Columns
    target: Target

    @classmethod
    def of(
        cls,
        canvas: CanvasLike,
        layer: Layer,
        frames: int | Sequence[int],
        granularity: str | None,
        seed: int,
        target: Target,
    ) -> Draw:
        """Columns of frames that are drawn side by side."""
        return cls(canvas.columns(layer, frames, granularity=granularity, seed=seed), target)

    def sampling(
        self, number: str, half_width: float, n_pixels: int, n_missed: int = 0, is_part: bool = True
    ) -> Sampling:
        """What a result says of it."""
        passes, is_exact = self.columns.passes, n_pixels == math.prod(self.columns.size)
        return Sampling(
            self.target.accuracy, half_width, number, passes, n_pixels, n_missed, is_part, is_exact
        )


def together(samplings: Sequence[Sampling | None]) -> Sampling | None:
    """What a result says that was estimated in parts; None where they are exact."""
    known = [sampling for sampling in samplings if sampling is not None]
    if not known:
        return None
    return replace(
        known[0],
        half_width=max(sampling.half_width for sampling in known),
        passes=sum(sampling.passes for sampling in known),
        n_pixels=min(sampling.n_pixels for sampling in known),
        n_missed=max(sampling.n_missed for sampling in known),
        is_exact=all(sampling.is_exact for sampling in known),
    )


def of_saved(summary: Summary) -> Sampling | None:
    """What a result says that is from the estimated totals of pixels of a saved canvas; None where these are exact."""
    if summary.is_exact or summary.pixel_low is None or summary.pixel_high is None:
        return None
    known = summary.pixel_abs > 0
    half = (summary.pixel_high - summary.pixel_low)[known] / 2 / summary.pixel_abs[known]
    half_width = float(np.median(half)) if known.any() else 0.0
    return Sampling(
        summary.accuracy or half_width, half_width, "each pixel's total", summary.passes, 0, is_saved=True
    )


class Totals(NamedTuple):
    """Every neuron's total in C order, how colours were added, and how it was estimated; None where it is exact."""

    values: FloatArray
    rgb: str
    sampling: Sampling | None


def totals(
    canvas: CanvasLike,
    layer: Layer,
    frame: int,
    granularity: str | None,
    target: Target | None,
    seed: int,
    progress: Progress,
) -> Totals:
    """Totals that put a layer's neurons in an order."""
    if target is None:
        summary = canvas.summary(layer, frame, granularity=granularity, progress=progress)
        return Totals(summary.neuron_abs.ravel(), summary.rgb, None)
    summary = bounded_totals(
        canvas, layer, frame, *target, granularity=granularity, seed=seed, progress=progress
    )
    sampling = None  # where exact totals cost less
    if not summary.is_exact:
        sampling = Sampling(target.accuracy, summary.half_width, TOTAL, summary.passes, 0)
    return Totals(summary.neuron_abs.ravel(), summary.rgb, sampling)


class Collector(Protocol):
    """What columns are drawn for: adds up what it needs of them."""

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        """Take in some pixels ``(k, 2)`` of a lattice, and their columns ``(k, n)`` on each frame."""
        ...

    def close(self) -> None:
        """Count the lattice, all of whose pixels were taken in."""
        ...


def draw(
    planned: Draw, collectors: Sequence[Collector], half_width: Callable[[], float], progress: Progress
) -> float:
    """Draw lattices for the collectors until `half_width` is small enough; what it is then."""
    columns, drawn = planned.columns, 0
    cost = columns.passes_a_draw
    enough = math.ceil(min(len(columns), max(2, planned.target.most / cost)))
    with steps(columns.layer.name, "pass", progress) as counted:
        while True:
            upto = min(enough, max(FIRST, math.ceil(drawn * GROWTH)))
            counted.plan((upto - drawn) * cost)
            for number in range(drawn, upto):
                feed(columns, columns.lattice(number), collectors)
                counted.take(cost)
            drawn = upto
            reached = half_width()
            if reached <= planned.target.accuracy or drawn == enough:
                return reached


def feed(columns: Columns, pixels: Pixels, collectors: Sequence[Collector]) -> None:
    """Give the columns of a lattice to each of the collectors."""
    for which, magnitudes in columns.at(pixels):
        for collector in collectors:
            collector.take(pixels[which], magnitudes)
    for collector in collectors:
        collector.close()


class PixelTotals:
    """The sum over neurons of magnitudes at the pixels that were drawn, ``(frames, height, width)``; NaN elsewhere."""

    def __init__(self, columns: Columns) -> None:
        self.images = np.full((len(columns.frames), *columns.size), np.nan)

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        for image, values in zip(self.images, magnitudes, strict=True):
            image[pixels[:, 0], pixels[:, 1]] = values.sum(1, dtype=torch.float64).cpu().numpy()

    def close(self) -> None:
        pass

    @property
    def n_pixels(self) -> int:
        """How many were drawn."""
        return int(np.isfinite(self.images[0]).sum())


def missed(norms: Norms, high: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Neurons whose totals surely exceed the intervals of their columns."""
    return high * (1 + 1e-4) < norms.least


def with_norms(
    norms: Norms, total: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
) -> list[npt.NDArray[Any]]:
    """Totals with their intervals: the norms' where columns surely show too little or too much, or tell less."""
    use = missed(norms, high) | (low > norms.most) | (high - low > norms.high - norms.low)
    return [np.where(use, ours, theirs) for ours, theirs in zip(norms[:3], (total, low, high), strict=True)]
