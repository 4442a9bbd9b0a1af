"""What a neuron's map looks like, as a vector to compare neurons by (XINC section 4.5).

Each neuron's absolute map is scaled to [0, 1], so that neurons meet by where they write, not by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis import partitions
from canvaswidget.analysis.motion import picture as original_frame
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.partitions import Masks
from canvaswidget.analysis.sampled import Accuracy, Draw, Estimated, Sampling, target_of
from canvaswidget.analysis.sampled_regions import SampledRegions, SampledSums, sampled_region_sums
from canvaswidget.analysis.sweeps import (
    RegionSums,
    check_totals,
    extremes,
    find,
    region_sums,
    sweep,
)
from canvaswidget.arguments import checked, checked_index, integer, some_accuracy
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID, rgb_of_magnitudes
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer, LayerKey, Neuron
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

FEATURE = "each neuron's feature"
KINDS = ("pooled", "colours", "gabor")
WINDOW = 16  # pixels a side of a window, as released
POOLED = 16  # maps are averaged to this many rows and columns before they are compared
MAX_BYTES = 128 * 2**20  # of all pooled maps; beyond, they are pooled to half as many rows and columns


@dataclass(frozen=True, eq=False, repr=False)
class Vectors(Estimated, Printed):
    """A vector for each neuron of a layer.

    Where they are estimated, each map is scaled by the smallest and the largest value at the pixels that were drawn.

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
        False for a neuron whose map is the same everywhere; with `as_released` for one whose map is 0 everywhere.
    strength : (n,)
        Sum of each neuron's absolute map.
    cells : (height, width)
        Which feature stands for which place: of the pooled grid, or of the frame.
    as_released : bool
    size : (height, width), optional
        Of the frame.
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    sampling : Sampling or None
        How they were estimated; None where they are exact.
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
    as_released: bool = False
    size: tuple[int, int] | None = None
    rgb: str = "sum"
    sampling: Sampling | None = None

    @checked(place=integer())
    def neuron(self, place: int) -> Neuron:
        """The neuron at a place in C order."""
        flat = checked_index("place", place, math.prod(self.shape))
        return self.layer.neuron_at(flat, "kernel" if len(self.shape) == 2 else "unit")

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron: whether it is alive, its strength, and a column for each feature."""
        features = {f"feature {place}": column for place, column in enumerate(self.values.T)}
        columns = {"alive": self.alive, "strength": self.strength, **features}
        return neuron_frame(columns, self.shape, self.layer.n_groups)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The share of neurons that are alive, and the sum of all absolute maps.
        """
        return {"alive_share": float(self.alive.mean()), "total": float(self.strength.sum(dtype=np.float64))}

    def rows(self) -> list[list[str]]:
        living = "neurons whose map is not 0" if self.as_released else "neurons whose map varies"
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
            ["kind", self.kind],
            ["features", f"{self.values.shape[1]}"],
            [living, f"{int(self.alive.sum()):,} of {len(self.alive):,}"],
            *([["", "as the published code computes them"]] if self.as_released else []),
            *self.sampling_rows(),
        ]


@over_runs
@checked(accuracy=some_accuracy)
def vectors(
    canvas: CanvasLike,
    layer: LayerKey,
    kind: str = "pooled",
    frame: int = 0,
    *,
    masks: Masks | None = None,
    k: int = partitions.CLUSTERS,
    seed: int = 0,
    as_released: bool = False,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    progress: Progress = False,
) -> Vectors:
    """Make a vector of each neuron's scaled absolute map.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    kind : {"pooled", "colours", "gabor"}
        Means over a 16x16 grid, or over `k` regions of like colour, or of like edges, of the model's frame.
    frame : int
    masks : (k, height, width), optional
        Regions to use instead of those of the model's own frame.
    k, seed : int
        Number of regions, and their random start; `seed` is that of the sample too.
    as_released : bool
        Always exact. What the published code computes: windows of 16x16 *pixels* instead of a 16x16 grid, without the
        rows and columns that remain; the released regions of the original frame where the INR has it (see
        `canvaswidget.analysis.partitions`); a map that is the same everywhere and not 0 is not scaled, and alive.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of a feature is no wider than
        this, in the median over neurons, for each feature; features are from 0 to 1. By default exact where that takes
        at most about 10 s, else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    progress : bool or callable
        As in `Canvas.iter`; a callable may raise to stop.

    Raises
    ------
    ValueError
        A kind that does not exist, or a map that holds NaN or infinity.
    """
    found, frame = find(canvas, layer, frame)
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: expected one of {', '.join(map(repr, KINDS))}")
    shape = found.shape_of(granularity)
    rgb = "sum" if as_released else rgb_of_magnitudes(canvas, found)
    target = target_of(canvas, found, frame, accuracy, granularity, 1, as_released)
    if kind == "pooled" and target is None:
        pooled = PooledMaps(canvas.inr.size, shape, as_released)
        sweep(canvas, found, [pooled], frame, granularity, progress, rgb)
        return pooled.vectors(found, frame, rgb)
    cells = None
    if kind == "pooled":
        masks, cells = cell_masks(canvas.inr.size, pooled_grid(canvas.inr.size, math.prod(shape)))
    elif masks is None:
        divide = partitions.colours if kind == "colours" else partitions.gabor
        picture = original_frame(canvas, frame) if as_released else canvas.frame(frame)
        masks = divide(picture, k, seed, as_released)
    if target is None:
        sums = region_sums(canvas, found, masks, frame, granularity, progress, rgb)
    else:
        planned = Draw.of(canvas, found, frame, granularity, seed, target)
        sums = sampled_region_sums(planned, masks, FEATURE, _of_span, progress)
    check_totals(found, sums.total)
    means = _means(sums, masks)
    low, span, alive = _scale(sums.low, sums.high, as_released)
    values = (means - low[:, None]) / span[:, None]
    values[~alive] = 0
    return Vectors(
        found,
        frame,
        kind,
        shape,
        values,
        alive,
        sums.total,
        masks.argmax(0) if cells is None else cells,
        as_released,
        canvas.inr.size,
        rgb,
        sums.sampling if isinstance(sums, SampledSums) else None,
    )


def check_comparable(name: str, sources: Sequence[Vectors]) -> None:
    """Raise ValueError where there are no vectors, or some are not of the same kind, length and regions."""
    if not sources or len({(source.kind, source.values.shape[1]) for source in sources}) > 1:
        raise ValueError(f"{name}: expected one or more vectors, all of the same kind and length")
    first = sources[0]
    if first.kind != "pooled" and any(not np.array_equal(first.cells, other.cells) for other in sources[1:]):
        raise ValueError(
            f"{name}: their regions differ; give `canvaswidget.analysis.vectors` the same masks for all"
        )


def _means(sums: RegionSums | SampledSums, masks: Masks) -> FloatArray:
    """``(n, r)``: means over regions; over the frame where no pixel of a region was drawn."""
    means = sums.regions / np.maximum(masks.sum((1, 2)), 1)
    if isinstance(sums, SampledSums):
        overall = sums.total[:, None] / masks[0].size
        means = np.where(np.isinf(sums.region_high), overall, means)
    return means.astype(np.float32)


def _of_span(regions: SampledRegions, total: DoubleArray, low: DoubleArray, high: DoubleArray) -> DoubleArray:
    """Half-widths of means as parts of what lies between each neuron's smallest and largest value."""
    some = regions.ratio.some()
    span = (regions.high[some] - regions.low[some]).astype(np.float64)
    return (high - low) / 2 / regions.ratio.sizes[:, None] / np.where(span > 0, span, np.nan)


def pooled_grid(size: tuple[int, int], count: int) -> tuple[int, int]:
    """Rows and columns that the maps of `count` neurons are averaged to."""
    side = POOLED if count * POOLED**2 * 4 <= MAX_BYTES else POOLED // 2
    return min(side, size[0]), min(side, size[1])


def cell_masks(size: tuple[int, int], grid: tuple[int, int]) -> tuple[Masks, npt.NDArray[np.int64]]:
    """The cells of `block_means` as masks ``(r, height, width)``, and their numbers ``(rows, columns)``."""
    rows, columns = (
        np.searchsorted(_starts(length, parts), np.arange(length), "right") - 1
        for length, parts in zip(size, grid, strict=True)
    )
    cells = np.arange(math.prod(grid)).reshape(grid)
    return cells[rows[:, None], columns] == cells.reshape(-1, 1, 1), cells


class PooledMaps:
    """Every neuron's scaled absolute map, averaged to a grid: a collector of `sweep`.

    The grid has 16x16 cells; with `as_released` the cells are windows of 16x16 pixels.

    Attributes
    ----------
    features : (n, rows, columns)
    alive, strength : (n,)
        As in `Vectors`.
    """

    def __init__(self, size: tuple[int, int], shape: tuple[int, ...], as_released: bool = False) -> None:
        count = math.prod(shape)
        grid = pooled_grid(size, count)
        self.covered = size
        if as_released:
            if min(size) < WINDOW:
                raise ValueError(
                    f"as_released=True: a window of {WINDOW}x{WINDOW} pixels exceeds the frame {size}"
                )
            grid = (size[0] // WINDOW, size[1] // WINDOW)
            self.covered = (grid[0] * WINDOW, grid[1] * WINDOW)
        self.shape, self.size, self.as_released = shape, size, as_released
        self.features = np.empty((count, *grid), np.float32)
        self.alive, self.strength = np.empty(count, bool), np.empty(count, np.float32)
        self._done = 0

    def of(self, magnitudes: torch.Tensor) -> tuple[npt.NDArray[Any], ...]:
        low, span, alive = _scale(*extremes(magnitudes.flatten(1)), self.as_released)
        height, width = self.covered
        means = block_means(magnitudes.cpu().numpy()[:, :height, :width], self.features.shape[1:])
        with np.errstate(invalid="ignore"):  # of what is refused when all is collected
            means -= low[:, None, None]
            means /= span[:, None, None]
        return means, alive, magnitudes.sum((1, 2)).cpu().numpy()

    def add(self, part: tuple[npt.NDArray[Any], ...]) -> None:
        chunk = slice(self._done, self._done + len(part[0]))
        self.features[chunk], self.alive[chunk], self.strength[chunk] = part
        self._done = chunk.stop

    def vectors(self, layer: Layer, frame: int, rgb: str = "sum") -> Vectors:
        """What was collected, once the sweep is over."""
        check_totals(layer, self.strength)
        cells = np.arange(self.features[0].size).reshape(self.features.shape[1:])
        values = self.features.reshape(len(self.features), -1)
        return Vectors(
            layer,
            frame,
            "pooled",
            self.shape,
            values,
            self.alive,
            self.strength,
            cells,
            self.as_released,
            self.size,
            rgb,
        )


def _scale(
    low: FloatArray, high: FloatArray, as_released: bool
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """What to subtract from each absolute map and to divide it by, and which neurons are alive."""
    varies = high > low
    span = np.where(varies, high - low, 1).astype(np.float32)
    if as_released:
        return np.where(varies, low, 0).astype(np.float32), span, high > 0
    return low, span, varies


def pooled_maps(
    canvas: CanvasLike, layer: Layer, shape: tuple[int, ...], frame: int, progress: Progress
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """``(n, rows, columns)``: each neuron's scaled and pooled map; and which are alive. In C order."""
    pooled = PooledMaps(canvas.inr.size, shape)
    sweep(canvas, layer, [pooled], frame, None, progress)
    check_totals(layer, pooled.strength)
    return pooled.features, pooled.alive


def block_means(maps: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Means over a grid of blocks that differ by at most a pixel in size."""
    starts = [_starts(length, parts) for length, parts in zip(maps.shape[1:], size, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(maps, starts[0], axis=1), starts[1], axis=2)
    lengths = [np.diff([*start, length]) for start, length in zip(starts, maps.shape[1:], strict=True)]
    return (sums / np.outer(*lengths)).astype(np.float32)


def _starts(length: int, parts: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, length, parts + 1).astype(int)[:-1]
