"""What neurons care about: space, colour, edges or objects (XINC section 4.3, figure 7).

A neuron that writes everywhere alike gives each region a part of its total that is the region's part of the frame. By
how much it departs from that, from region to region, tells how much it cares about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget.analysis import partitions
from canvaswidget.analysis.intervals import median
from canvaswidget.analysis.motion import picture as original_frame
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.partitions import Masks
from canvaswidget.analysis.sampled import Accuracy, Draw, Estimated, Sampling, target_of
from canvaswidget.analysis.sampled_regions import (
    SampledSums,
    departure_intervals,
    of_even,
    sampled_region_sums,
)
from canvaswidget.analysis.sweeps import RegionSums, check_totals, find, region_sums
from canvaswidget.arguments import checked, some_accuracy, some_groups
from canvaswidget.plotting.style import (
    colour_bar,
    heading,
    legend_below,
    new_axes,
    new_picture,
    pixels,
    style,
)
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID, rgb_of_magnitudes
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

DEPARTURE = "each neuron's departure from even in a region"
KINDS = ("grid", "colours", "gabor", "instances")


@dataclass(frozen=True, eq=False, repr=False)
class Regions(Estimated, Printed):
    """How each neuron's contribution departs from an even spread, for each way to divide the frame.

    Attributes
    ----------
    layer : Layer
    frame : int
    masks : dict of str to (r, height, width)
        The regions of each kind.
    deltas : dict of str to (n, r) or (n_in, n_out, r)
        For every neuron and region ``(actual - even) / even``: `actual` is the sum of the neuron's absolute map over
        the region, `even` what it would be were its total spread evenly. 0 is even, 1 twice as much, -1 nothing at
        all. nan for a dead neuron, and for an empty region.
    as_released : bool
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    low, high : as `deltas`, or None
        95% intervals of the departures; None where they are exact.
    sampling : Sampling or None
        How they were estimated; None where they are exact.
    """

    title: ClassVar[str] = "what neurons care about"
    layer: Layer
    frame: int
    masks: dict[str, Masks]
    deltas: dict[str, FloatArray]
    as_released: bool = False
    rgb: str = "sum"
    low: dict[str, FloatArray] | None = None
    high: dict[str, FloatArray] | None = None
    sampling: Sampling | None = None

    @property
    def variances(self) -> dict[str, FloatArray]:
        """Variance over the r regions, for every neuron; nan for a dead one.

        The mean square of the difference from the mean. With `as_released` the sum of squares is divided by r - 1
        instead of r, as published; nan where there is one region.
        """
        return {kind: _variance(deltas, int(self.as_released)) for kind, deltas in self.deltas.items()}

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron, a column a kind of region: the variance over its regions; pandas is imported here."""
        shape = next(iter(self.deltas.values())).shape[:-1]
        return neuron_frame(self.variances, shape, self.layer.n_groups)

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Each kind's variances, sorted, the neuron that cares most first."""
        ax = ax or new_axes()
        with style():
            for kind, variances in self.variances.items():
                living = np.sort(variances[np.isfinite(variances)])[::-1]
                if not len(living):
                    continue
                places = np.arange(1, len(living) + 1) / len(living)
                count = int(self.masks[kind].any((1, 2)).sum())
                ax.plot(places, np.maximum(living, 1e-12), lw=1.2, label=f"{kind} ({count} regions)")
            ax.set_yscale("log")
            ax.set_xlim(0, 1)
            ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            living_most = max((int(np.isfinite(v).sum()) for v in self.variances.values()), default=0)
            ax.set(
                xlabel="living neurons, sorted (share)",
                ylabel="variance over regions\nof the departure from even",
            )
            heading(ax, self.layer.name, f"frame {self.frame}", f"n = {living_most:,}", *self.estimated())
            if ax.get_lines():
                legend_below(ax)
        return ax

    @checked
    def plot_regions(self, kind: str, ax: Axes | None = None) -> Axes:
        """The regions of a kind, each in the colour of the layer's mean absolute departure from even."""
        if kind not in self.masks:
            raise ValueError(f"kind={kind!r}: expected one of {', '.join(map(repr, self.masks))}")
        masks, deltas = self.masks[kind], self.deltas[kind]
        per_region = np.abs(deltas.reshape(-1, deltas.shape[-1])).astype(np.float64)
        counts = np.maximum(np.isfinite(per_region).sum(0), 1)
        means = np.nansum(per_region, 0) / counts
        shown = np.einsum("r,ryx->yx", means, masks) / np.maximum(masks.sum(0), 1)
        ax = ax or new_picture(shown.shape)
        with style():
            image = ax.imshow(shown, cmap="viridis", vmin=0, interpolation="nearest")
            heading(ax, f"{kind}: {self.layer.name}", f"frame {self.frame}", *self.estimated())
            pixels(ax)
            colour_bar(ax, image, "mean |departure from even|")
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The median of the living neurons' variances, for each kind of regions.
        """
        return {f"variance_{kind}": median(variances) for kind, variances in self.variances.items()}

    def rows(self) -> list[list[str]]:
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
        ]
        for kind, variances in self.variances.items():
            living = variances[np.isfinite(variances)]
            low, middle, high = np.percentile(living, (25, 50, 75)) if len(living) else (np.nan,) * 3
            count = int(self.masks[kind].any((1, 2)).sum())
            rows.append(
                [
                    f"variance over {count} regions ({kind}): median (quartiles)",
                    f"{middle:.3g} ({low:.3g} to {high:.3g})",
                ]
            )
        sizes = [(int(np.isfinite(values).sum()), values.size) for values in self.variances.values()]
        rows.append(["neurons", f"{sizes[0][1]:,} ({sizes[0][1] - max(sizes)[0]:,} dead)"])
        if self.as_released:
            rows.append(["", "as the published notebooks computed it"])
        return rows + self.sampling_rows()


@over_runs
@checked(k=some_groups, accuracy=some_accuracy)
def regions(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    by: Sequence[str] | str | Mapping[str, npt.ArrayLike] | None = None,
    *,
    masks: npt.ArrayLike | None = None,
    cells: tuple[int, int] = partitions.CELLS,
    k: int = partitions.CLUSTERS,
    seed: int = 0,
    as_released: bool = False,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    progress: Progress = False,
) -> Regions:
    """Measure how much each neuron cares about where, which colour, which edge and which object.

    All kinds of regions are measured in one sweep over the layer.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    by : sequence of {"grid", "colours", "gabor", "instances"}, or mapping of a name to masks, optional
        Ways to divide the frame; by default the first three, and `instances` where there are `masks`. Colours and
        edges are those of the model's own frame. Masks of your own are booleans ``(r, height, width)``, one mask
        ``(height, width)``, or integer labels of that shape, each label a region.
    masks : array, optional
        Of the instances, as `canvaswidget.analysis.partitions.instances` takes them.
    cells : (rows, columns)
        Of the grid.
    k, seed : int
        Regions of `colours` and `gabor`, and their random start; `seed` is that of the sample too.
    as_released : bool
        Always exact. What the published notebooks computed: combs for a grid, six Gabor filters in bytes, objects for
        the rest (see `canvaswidget.analysis.partitions`); colours and edges of the original frame where the INR has it;
        absolute departures for all kinds but the grid; variances that divide by the number of regions less one.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of a departure is no wider
        than this, in the median over neurons, in each region. By default exact where that takes at most about 10 s,
        else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    progress : bool or callable
        As in `Canvas.iter`.

    Raises
    ------
    ValueError
        `by` or `masks` that do not fit, or a map that holds NaN or infinity.
    """
    found, frame = find(canvas, layer, frame)
    divided = divide(canvas, frame, by, masks, cells, k, seed, as_released)
    every = np.concatenate(list(divided.values()))
    rgb = "sum" if as_released else rgb_of_magnitudes(canvas, found)
    target = target_of(canvas, found, frame, accuracy, granularity, 1, as_released)
    if target is None:
        sums = region_sums(canvas, found, every, frame, granularity, progress, rgb)
    else:
        planned = Draw.of(canvas, found, frame, granularity, seed, target)
        sums = sampled_region_sums(planned, every, DEPARTURE, of_even, progress)
    return regions_from_sums(found, frame, divided, sums, granularity, as_released, rgb)


def regions_from_sums(
    layer: Layer,
    frame: int,
    divided: dict[str, Masks],
    sums: RegionSums | SampledSums,
    granularity: str | None = None,
    as_released: bool = False,
    rgb: str = "sum",
) -> Regions:
    """The same from the sums over the regions of all kinds, one after the other."""
    check_totals(layer, sums.total)

    def by_kind(values: FloatArray) -> dict[str, FloatArray]:
        ends = np.cumsum([len(masks) for masks in divided.values()])
        parts = np.split(values, ends, 1)[: len(divided)]
        shape = layer.shape_of(granularity)
        return {kind: part.reshape(*shape, -1) for kind, part in zip(divided, parts, strict=True)}

    every = departures(sums.regions, sums.total, np.concatenate(list(divided.values())))
    deltas = by_kind(every)
    if as_released:
        deltas = {kind: delta if kind == "grid" else np.abs(delta) for kind, delta in deltas.items()}
    if isinstance(sums, RegionSums):
        return Regions(layer, frame, divided, deltas, as_released, rgb)
    sizes = np.concatenate([masks.sum((1, 2)) for masks in divided.values()])
    low, high = (by_kind(bounds) for bounds in departure_intervals(sums, sizes))
    return Regions(layer, frame, divided, deltas, as_released, rgb, low, high, sums.sampling)


def divide(
    canvas: CanvasLike,
    frame: int,
    by: Sequence[str] | str | Mapping[str, npt.ArrayLike] | None,
    masks: npt.ArrayLike | None,
    cells: tuple[int, int],
    k: int,
    seed: int,
    as_released: bool,
) -> dict[str, Masks]:
    """The masks of each kind; see `regions`."""
    size = canvas.inr.size
    if isinstance(by, Mapping):
        return {name: _own(name, given, size) for name, given in by.items()}
    if by is None:
        by = KINDS if masks is not None else KINDS[:3]
    kinds = [by] if isinstance(by, str) else list(by)
    divided: dict[str, Masks] = {}
    for kind in kinds:
        if kind == "grid":
            rows, columns = cells
            divided[kind] = partitions.grid(size, (min(rows, size[0]), min(columns, size[1])), as_released)
        elif kind == "colours":
            divided[kind] = partitions.colours(_picture(canvas, frame, as_released), k, seed, as_released)
        elif kind == "gabor":
            divided[kind] = partitions.gabor(_picture(canvas, frame, as_released), k, seed, as_released)
        elif kind == "instances":
            if masks is None:
                raise ValueError("masks=None: the kind 'instances' needs them")
            divided[kind], _ = partitions.instances(masks, size, frame, canvas.inr.n_frames, as_released)
        else:
            raise ValueError(
                f"by={kind!r}: expected one of {', '.join(map(repr, KINDS))}, or a mapping to masks"
            )
    if not divided:
        raise ValueError(f"by={by!r}: expected at least one of {', '.join(map(repr, KINDS))}")
    return divided


def _picture(canvas: CanvasLike, frame: int, as_released: bool) -> FloatArray:
    """The model's frame; the original, where there is one, for what was released."""
    return original_frame(canvas, frame) if as_released else canvas.frame(frame)


def departures(sums: FloatArray, total: FloatArray, masks: Masks) -> FloatArray:
    """``(actual - even) / even`` for sums ``(n, r)``; nan where `even` is 0."""
    areas = masks.sum((1, 2)) / (masks.shape[1] * masks.shape[2])
    even = total[:, None].astype(np.float64) * areas
    with np.errstate(invalid="ignore"):
        return np.where(even > 0, (sums - even) / np.where(even > 0, even, 1), np.nan).astype(np.float32)


def _variance(deltas: FloatArray, fewer: int) -> FloatArray:
    """The sum of squares over the count of known values less `fewer`."""
    known = np.isfinite(deltas)
    counts = known.sum(-1)
    values = np.where(known, deltas, 0).astype(np.float64)
    mean = values.sum(-1) / np.maximum(counts, 1)
    squares = np.where(known, values - mean[..., None], 0) ** 2
    divisor = counts - fewer
    return np.where(divisor > 0, squares.sum(-1) / np.maximum(divisor, 1), np.nan).astype(np.float32)


def _own(name: str, given: npt.ArrayLike, size: tuple[int, int]) -> Masks:
    masks = np.asarray(given)
    if masks.dtype.kind in "iub" and masks.shape == tuple(size):
        return masks == np.unique(masks)[:, None, None]
    if masks.dtype == bool and masks.ndim == 3 and masks.shape[1:] == tuple(size):
        return masks
    raise ValueError(
        f"by[{name!r}]: has shape {masks.shape} and type {masks.dtype}; expected booleans (r, height, width), or "
        f"integers or booleans (height, width) = {size}"
    )
