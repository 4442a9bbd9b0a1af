"""Which neurons make which object, on one frame and over time (XINC section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.partitions import Masks, instances
from canvaswidget.analysis.sampled import Accuracy, Draw, Estimated, Sampling, Target, target_of
from canvaswidget.analysis.sampled_regions import SampledSums, of_itself, sampled_region_sums
from canvaswidget.analysis.sweeps import RegionSums, check_totals, find, region_sums
from canvaswidget.arguments import checked, some_accuracy
from canvaswidget.plotting.style import (
    colour_bar,
    heading,
    new_axes,
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
Sums = RegionSums | SampledSums

MEAN = "each neuron's mean in an object"


@dataclass(frozen=True, eq=False, repr=False)
class Objects(Estimated, Printed):
    """How strongly each neuron contributes to each object.

    Attributes
    ----------
    layer : Layer
    frame : int
    names : tuple of str
        Of the objects; the last is what belongs to none, or, with `as_released`, all objects together.
    areas : (r,)
        Pixels of each.
    means : (n, r) or (n_in, n_out, r)
        Mean absolute contribution to a pixel of the object; nan where the object is not on the frame, with
        `as_released` 0.
    as_released : bool
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    low, high : as `means`, or None
        95% intervals of these; None where they are exact.
    sampling : Sampling or None
        How they were estimated; None where they are exact.
    """

    title: ClassVar[str] = "contributions to objects"
    layer: Layer
    frame: int
    names: tuple[str, ...]
    areas: npt.NDArray[np.int64]
    means: FloatArray
    as_released: bool = False
    rgb: str = "sum"
    low: FloatArray | None = None
    high: FloatArray | None = None
    sampling: Sampling | None = None

    @property
    def shares(self) -> FloatArray:
        """`means` of each neuron as parts of their sum over the objects; nan for a dead neuron."""
        return parts(self.means, (-1,))

    @property
    def preferred(self) -> npt.NDArray[np.int64]:
        """The object with each neuron's largest share; -1 for a dead neuron."""
        shares = self.shares
        known = np.isfinite(shares)
        return np.where(known.any(-1), np.where(known, shares, -1).argmax(-1), -1)

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Every neuron a column: its shares of the objects, sorted by the object it makes most of."""
        ax = ax or new_axes(height=0.7 + min(0.3 * len(self.names), 8))
        shares = self.shares.reshape(-1, len(self.names))
        best = self.preferred.ravel()
        living = np.flatnonzero(best >= 0)
        order = living[np.lexsort((-shares[living, best[living]], best[living]))]
        with style():
            picture = shares[order].T if len(order) else np.full((len(self.names), 1), np.nan)
            image = ax.imshow(picture, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
            ax.set_yticks(range(len(self.names)), self.names)
            ax.tick_params(axis="y", length=0)
            ax.spines[:].set_visible(False)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.set_xlabel(f"living neurons, by object (n = {len(order):,})")
            heading(ax, self.layer.name, f"frame {self.frame}", *self.estimated())
            colour_bar(ax, image, "share of the neuron")
        return ax

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron, a column an object: its mean contribution to a pixel of it; pandas is imported here."""
        columns = {name: self.means[..., place] for place, name in enumerate(self.names)}
        return neuron_frame(columns, self.means.shape[:-1], self.layer.n_groups)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The share of neurons that contribute most to each object, and of dead ones.
        """
        preferred = self.preferred
        most = {
            f"most_to_{name}": float((preferred == place).mean()) for place, name in enumerate(self.names)
        }
        return {**most, "dead_share": float((preferred < 0).mean())}

    def rows(self) -> list[list[str]]:
        counts = [int((self.preferred == place).sum()) for place in range(len(self.names))]
        rows = [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["colours", COLOURS_SAID[self.rgb]],
        ]
        for name, area, count in zip(self.names, self.areas, counts, strict=True):
            what = f"neurons that contribute most to a pixel of {name} ({area:,} pixels)"
            rows.append([what, f"{count:,} of {self.preferred.size:,}"])
        rows.append(["dead neurons", f"{int((self.preferred < 0).sum()):,}"])
        if self.as_released:
            rows.append(["", "as the published notebooks computed it"])
        return rows + self.sampling_rows()


@over_runs
@checked(accuracy=some_accuracy)
def objects(
    canvas: CanvasLike,
    layer: LayerKey,
    masks: npt.ArrayLike,
    frame: int = 0,
    names: Sequence[str] | None = None,
    *,
    as_released: bool = False,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Objects:
    """Measure each neuron's mean absolute contribution to each object of a frame.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    masks : array
        As `canvaswidget.analysis.partitions.instances` takes them: labels or booleans, of one frame or of all.
    frame : int
    names : sequence of str, optional
        Of the instances, in the order of their labels, without the rest.
    as_released : bool
        Always exact. What the published notebooks computed: the last column, which they call "other", is all objects
        together where it should be the rest; an object that is not on the frame counts as 0.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of a neuron's mean in an
        object is this part of it, in the median over neurons, for each object. By default exact where that takes at
        most about 10 s, else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    seed : int
        Of the sample.
    progress : bool or callable
        As in `Canvas.iter`.

    Raises
    ------
    ValueError
        Masks that do not fit the frame, or a map that holds NaN or infinity.
    """
    found, frame = find(canvas, layer, frame)
    target = target_of(canvas, found, frame, accuracy, granularity, 1, as_released)
    return measure_objects(
        canvas, found, masks, frame, names, as_released, granularity, seed, target, progress
    )


def measure_objects(
    canvas: CanvasLike,
    layer: Layer,
    masks: npt.ArrayLike,
    frame: int,
    names: Sequence[str] | None,
    as_released: bool,
    granularity: str | None,
    seed: int,
    target: Target | None,
    progress: Progress,
) -> Objects:
    """The same, exact where there is no target."""
    divided, labels = instances(masks, canvas.inr.size, frame, canvas.inr.n_frames, as_released)
    rgb = "sum" if as_released else rgb_of_magnitudes(canvas, layer)
    if target is None:
        sums = region_sums(canvas, layer, divided, frame, granularity, progress, rgb)
    else:
        planned = Draw.of(canvas, layer, frame, granularity, seed, target)
        sums = sampled_region_sums(planned, divided, MEAN, of_itself, progress)
    called = object_names(labels, names, as_released)
    return objects_from_sums(layer, frame, divided, sums, called, granularity, as_released, rgb)


def objects_from_sums(
    layer: Layer,
    frame: int,
    masks: Masks,
    sums: Sums,
    names: tuple[str, ...],
    granularity: str | None = None,
    as_released: bool = False,
    rgb: str = "sum",
) -> Objects:
    """The same from the sums over the masks of the objects and the rest, the last of the regions that were summed."""
    check_totals(layer, sums.total)
    areas = masks.sum((1, 2))
    absent = 0 if as_released else np.nan

    def means(values: FloatArray) -> FloatArray:
        own = np.where(areas, values[:, -len(areas) :] / np.maximum(areas, 1), absent).astype(np.float32)
        return own.reshape(*layer.shape_of(granularity), len(areas))

    found = Objects(layer, frame, names, areas, means(sums.regions), as_released, rgb)
    if isinstance(sums, RegionSums):
        return found
    low, high = means(sums.region_low), means(sums.region_high)
    return replace(found, low=low, high=high, sampling=sums.sampling)


def object_names(
    labels: tuple[int, ...], names: Sequence[str] | None, as_released: bool = False
) -> tuple[str, ...]:
    """Names of the instances and of the last region; by their labels where they have none."""
    last = "all objects" if as_released else "the rest"
    if names is None:
        return (*(f"object {label}" for label in labels[:-1]), last)
    if len(names) != len(labels) - 1:
        raise ValueError(f"names={list(names)!r}: there are {len(labels) - 1} instances, {labels[:-1]}")
    return (*names, last)


def parts(values: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Values as parts of their sum over some axes; nan where that is 0."""
    total = np.nansum(values, axis=axes, keepdims=True, dtype=np.float64)
    return np.where(total > 0, values / np.where(total > 0, total, 1), np.nan).astype(np.float32)
