"""What a neuron's map looks like, as a vector to compare neurons by (XINC section 4.5).

Each neuron's absolute map is scaled to [0, 1], so that neurons meet by where they write, not by how much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis import partitions
from canvaswidget.analysis.partitions import Masks
from canvaswidget.analysis.sweeps import extremes, find, region_sums, sweep
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas, LayerKey, Progress
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.results import Neuron

FloatArray = npt.NDArray[np.float32]

KINDS = ("pooled", "colours", "gabor")
POOLED = 16  # maps are averaged to this many rows and columns before they are compared
MAX_BYTES = 128 * 2**20  # of all pooled maps; beyond, they are pooled to half as many rows and columns


@dataclass(frozen=True, eq=False, repr=False)
class Vectors(Printed):
    """A vector for each neuron of a layer.

    Attributes
    ----------
    layer : Layer
    frame : int
    kind : {"pooled", "colours", "gabor"}
    shape : tuple of int
        Of the layer's neurons, as asked for.
    values : (n, features)
        In C order; zeros for a dead neuron.
    alive : (n,)
        False for a neuron whose map is the same everywhere.
    strength : (n,)
        Sum of each neuron's absolute map.
    cells : (height, width)
        Which feature stands for which place: of the pooled grid, or of the frame.
    """

    title: ClassVar[str] = "vectors"
    layer: Layer
    frame: int
    kind: str
    shape: tuple[int, ...]
    values: FloatArray
    alive: npt.NDArray[np.bool_]
    strength: FloatArray
    cells: npt.NDArray[np.int64]

    def neuron(self, place: int) -> Neuron:
        """The neuron at a place in C order."""
        return self.layer.neuron_at(place, "kernel" if len(self.shape) == 2 else "unit")

    def rows(self) -> list[list[str]]:
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["kind", self.kind],
            ["features", f"{self.values.shape[1]}"],
            ["living neurons", f"{int(self.alive.sum()):,} of {len(self.alive):,}"],
        ]


def vectors(
    canvas: Canvas,
    layer: LayerKey,
    kind: str = "pooled",
    frame: int = 0,
    *,
    masks: Masks | None = None,
    k: int = partitions.CLUSTERS,
    seed: int = 0,
    granularity: str | None = None,
    progress: Progress = False,
) -> Vectors:
    """Make a vector of each neuron's scaled absolute map.

    Parameters
    ----------
    canvas : Canvas
    layer : str, int or Layer
    kind : {"pooled", "colours", "gabor"}
        Means over a 16x16 grid, or over `k` regions of like colour, or of like edges, of the model's frame.
    frame : int
    masks : (k, height, width), optional
        Regions to use instead of those of the model's own frame.
    k, seed : int
        Number of regions, and their random start.
    granularity : {"unit", "kernel"}, optional
    progress : bool or callable
        As in `Canvas.iter`; a callable may raise to stop.
    """
    found, frame = find(canvas, layer, frame)
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: expected one of {', '.join(map(repr, KINDS))}")
    shape = found.shape_of(granularity)
    if kind == "pooled":
        pooled = PooledMaps(canvas.inr.size, shape)
        sweep(canvas, found, [pooled], frame, granularity, progress)
        return pooled.vectors(found, frame)
    if masks is None:
        divide = partitions.colours if kind == "colours" else partitions.gabor
        masks = divide(canvas.frame(frame), k, seed)
    sums = region_sums(canvas, found, masks, frame, granularity, progress)
    span = sums.high - sums.low
    means = sums.regions / np.maximum(masks.sum((1, 2)), 1)
    values = (means - sums.low[:, None]) / np.where(span > 0, span, 1)[:, None]
    values[span <= 0] = 0
    return Vectors(found, frame, kind, shape, values, span > 0, sums.total, masks.argmax(0))


class PooledMaps:
    """Every neuron's scaled absolute map, averaged to a grid: a collector of `sweep`.

    Attributes
    ----------
    features : (n, rows, columns)
    alive, strength : (n,)
        As in `Vectors`.
    """

    def __init__(self, size: tuple[int, int], shape: tuple[int, ...]) -> None:
        count = math.prod(shape)
        side = POOLED if count * POOLED**2 * 4 <= MAX_BYTES else POOLED // 2
        self.shape = shape
        self.features = np.empty((count, min(side, size[0]), min(side, size[1])), np.float32)
        self.alive, self.strength = np.empty(count, bool), np.empty(count, np.float32)
        self._done = 0

    def of(self, magnitudes: torch.Tensor) -> tuple[npt.NDArray[Any], ...]:
        low, high = extremes(magnitudes.flatten(1))
        span = high - low
        means = block_means(magnitudes.cpu().numpy(), self.features.shape[1:])
        means -= low[:, None, None]
        means /= np.where(span > 0, span, 1)[:, None, None]
        return means, span > 0, magnitudes.sum((1, 2)).cpu().numpy()

    def add(self, part: tuple[npt.NDArray[Any], ...]) -> None:
        chunk = slice(self._done, self._done + len(part[0]))
        self.features[chunk], self.alive[chunk], self.strength[chunk] = part
        self._done = chunk.stop

    def vectors(self, layer: Layer, frame: int) -> Vectors:
        """What was collected, once the sweep is over."""
        cells = np.arange(self.features[0].size).reshape(self.features.shape[1:])
        values = self.features.reshape(len(self.features), -1)
        return Vectors(layer, frame, "pooled", self.shape, values, self.alive, self.strength, cells)


def pooled_maps(
    canvas: Any, layer: Any, shape: tuple[int, ...], frame: int, progress: Progress
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """``(n, rows, columns)``: each neuron's scaled and pooled map; and which are alive. In C order."""
    pooled = PooledMaps(canvas.inr.size, shape)
    sweep(canvas, layer, [pooled], frame, None, progress)
    return pooled.features, pooled.alive


def block_means(maps: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Means over a grid of blocks that differ by at most a pixel in size."""
    starts = [
        np.linspace(0, length, parts + 1).astype(int)[:-1]
        for length, parts in zip(maps.shape[1:], size, strict=True)
    ]
    sums = np.add.reduceat(np.add.reduceat(maps, starts[0], axis=1), starts[1], axis=2)
    lengths = [np.diff([*start, length]) for start, length in zip(starts, maps.shape[1:], strict=True)]
    return (sums / np.outer(*lengths)).astype(np.float32)
