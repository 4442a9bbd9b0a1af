"""A region of the frame: the pixels inside a polygon, or those of a mask; small enough to be a trait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.arguments import as_array, show
from canvaswidget.kernel import message_parts
from canvaswidget.tracing.matrix import checked_mask

Mask = npt.NDArray[np.bool_]

MOST_POINTS = 2000
MOST_RUNS = 20_000
_FORMS = "a mask (height, width), a box ((y0, x0), (y1, x1)), a polygon of at least 3 points (y, x), or None"


@dataclass(frozen=True)
class Region:
    """Some pixels of a frame.

    Attributes
    ----------
    size : (height, width)
        Of the frame.
    points : tuple of (y, x)
        Corners of a polygon, in pixels from the top left *corner* of the frame: pixel (y, x) is inside when its
        middle (y + 0.5, x + 0.5) is, or is on an edge. Empty for a mask.
    runs : tuple of int
        The mask, row by row: where a run of pixels starts and how long it is, by turns. Empty for a polygon.
    """

    size: tuple[int, int]
    points: tuple[tuple[float, float], ...] = ()
    runs: tuple[int, ...] = ()

    @property
    def mask(self) -> Mask:
        """``(height, width)``, true inside; what `canvaswidget.Canvas.region` takes."""
        from skimage.draw import polygon2mask

        if self.points:
            return polygon2mask(self.size, np.array(self.points) - 0.5)
        flat = np.zeros(self.size[0] * self.size[1], bool)
        for start, length in zip(self.runs[::2], self.runs[1::2], strict=True):
            flat[start : start + length] = True
        return flat.reshape(self.size)

    def on_wire(self) -> message_parts.Region:
        """As messages have it."""
        return {"points": [list(point) for point in self.points], "runs": list(self.runs)}

    def __repr__(self) -> str:
        form = f"polygon of {len(self.points)} points" if self.points else "mask"
        return f"Region({form}, {int(self.mask.sum()):,} of {self.size[0]}x{self.size[1]} pixels)"


def checked_region(region: Any, size: tuple[int, int]) -> Region | None:
    """A region from any of its forms; it holds at least one pixel."""
    if region is None:
        return None
    if isinstance(region, Region):
        found = Region(size, region.points, region.runs)
        if region.size != size:
            raise ValueError(f"region={region!r}: the frame is {size[0]}x{size[1]}")
    elif isinstance(region, Mapping):
        found = _from_wire(region, size)
    else:
        found = _from_array(region, size)
    if not found.mask.any():
        raise ValueError("region: holds the middle of no pixel")
    return found


def _from_array(region: Any, size: tuple[int, int]) -> Region:
    problem = f"region={show(region)}: expected {_FORMS}"
    values = as_array(region)
    if values is None:
        raise ValueError(problem)
    if values.shape == size and (values.dtype == bool or size not in ((2, 2), (len(values), 2))):
        return Region(size, runs=_runs(checked_mask(values, size, "region").numpy() != 0))
    if values.ndim != 2 or values.shape[1] != 2 or len(values) < 2 or values.dtype.kind not in "iuf":
        shape = f"has shape {values.shape}; " if values.ndim else ""
        raise ValueError(f"region: {shape}expected {_FORMS}; the frame is {size[0]}x{size[1]}")
    if len(values) == 2:
        (top, left), (bottom, right) = values
        values = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return Region(size, points=_points(values))


def _from_wire(region: Mapping[str, Any], size: tuple[int, int]) -> Region:
    if set(region) != {"points", "runs"}:
        raise ValueError(f"region: has the fields {sorted(region)}; expected points and runs")
    points, runs = region["points"], region["runs"]
    if points:
        return Region(size, points=_points(points))
    whole = isinstance(runs, Sequence) and all(type(value) is int and value >= 0 for value in runs)
    if not whole or len(runs) % 2 or len(runs) > MOST_RUNS:
        raise ValueError(f"region: runs must be pairs of start and length, at most {MOST_RUNS} numbers")
    return Region(size, runs=tuple(runs))


def _points(values: Iterable[Any]) -> tuple[tuple[float, float], ...]:
    points = as_array(values)
    plain = points is not None and points.dtype.kind in "iuf" and points.ndim == 2 and points.shape[1] == 2
    if points is None or not plain or not 3 <= len(points) <= MOST_POINTS:
        raise ValueError(f"region: a polygon has 3 to {MOST_POINTS} points (y, x)")
    if not np.isfinite(points).all():
        raise ValueError("region: a point is NaN or infinite")
    return tuple((float(y), float(x)) for y, x in points)


def _runs(mask: Mask) -> tuple[int, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel(), [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if 2 * len(starts) > MOST_RUNS:
        raise ValueError(
            f"region: the mask has {len(starts):,} runs of pixels; at most {MOST_RUNS // 2:,} are taken"
        )
    return tuple(int(value) for value in np.stack([starts, ends - starts], 1).ravel())
