"""Which neurons make which object, on one frame and over time (XINC section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.partitions import Masks, instances
from canvaswidget.analysis.sweeps import find, region_sums
from canvaswidget.drawing import CYCLE, colour_bar, heading, new_axes, style
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas, LayerKey, Progress
from canvaswidget.tracing.layers import Layer

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Objects(Printed):
    """How strongly each neuron contributes to each object.

    Attributes
    ----------
    layer : Layer
    frame : int
    names : tuple of str
        Of the objects; the last is what belongs to none.
    areas : (r,)
        Pixels of each.
    means : (n, r) or (n_in, n_out, r)
        Mean absolute contribution to a pixel of the object; nan where the object is not on the frame.
    """

    title: ClassVar[str] = "contributions to objects"
    layer: Layer
    frame: int
    names: tuple[str, ...]
    areas: npt.NDArray[np.int64]
    means: FloatArray

    @property
    def shares(self) -> FloatArray:
        """`means` of each neuron as parts of their sum over the objects; nan for a dead neuron."""
        return _parts(self.means, (-1,))

    @property
    def preferred(self) -> npt.NDArray[np.int64]:
        """The object with each neuron's largest share; -1 for a dead neuron."""
        shares = self.shares
        known = np.isfinite(shares)
        return np.where(known.any(-1), np.where(known, shares, -1).argmax(-1), -1)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Every neuron a column: its shares of the objects, sorted by the object it makes most of."""
        ax = ax or new_axes(height=0.7 + 0.3 * len(self.names))
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
            heading(ax, self.layer.name, f"frame {self.frame}")
            colour_bar(ax, image, "share of the neuron")
        return ax

    def rows(self) -> list[list[str]]:
        counts = [int((self.preferred == place).sum()) for place in range(len(self.names))]
        rows = [["layer", self.layer.name], ["frame", str(self.frame)]]
        for name, area, count in zip(self.names, self.areas, counts, strict=True):
            rows.append([f"neurons that make most of {name} ({area:,} pixels)", f"{count:,}"])
        rows.append(["dead neurons", f"{int((self.preferred < 0).sum()):,}"])
        return rows


@dataclass(frozen=True, eq=False, repr=False)
class ObjectsOverTime(Printed):
    """How each neuron's contributions to objects change from frame to frame.

    Attributes
    ----------
    layer : Layer
    frames : (t,)
    names : tuple of str
    means : (t, n, r) or (t, n_in, n_out, r)
        Mean absolute contribution to a pixel of the object; nan where the object is not on the frame.
    """

    title: ClassVar[str] = "objects over time"
    layer: Layer
    frames: npt.NDArray[np.int64]
    names: tuple[str, ...]
    means: FloatArray

    @property
    def shares(self) -> FloatArray:
        """`means` of each neuron as parts of their sum over frames and objects; nan for a dead neuron."""
        return _parts(self.means, (0, -1))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each object's share: the median and the quartiles of the neurons."""
        ax = ax or new_axes()
        shares = self.shares.reshape(len(self.frames), -1, len(self.names))
        living = np.isfinite(shares).any((0, 2))
        with style():
            for place, name in enumerate(self.names):
                values = np.where(np.isfinite(shares[:, living, place]), shares[:, living, place], np.nan)
                seen = np.isfinite(values).any(1)
                if not seen.any():
                    continue
                low, middle, high = (np.full(len(self.frames), np.nan) for _ in range(3))
                low[seen], middle[seen], high[seen] = np.percentile(values[seen], (25, 50, 75), axis=1)
                colour = CYCLE[place % len(CYCLE)]
                ax.plot(self.frames, middle, color=colour, lw=1.2, marker="o", ms=2, label=name)
                ax.fill_between(self.frames, low, high, color=colour, alpha=0.15, lw=0)
            ax.set(xlabel="frame", ylabel="share of the neuron\n(median, quartiles)")
            ax.set_ylim(bottom=0)
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            heading(ax, self.layer.name, f"n = {int(living.sum()):,} living neurons")
            if ax.get_lines():
                ax.legend(frameon=False, fontsize=6, handlelength=1.2, ncols=2)
        return ax

    def rows(self) -> list[list[str]]:
        shares = self.shares.reshape(len(self.frames), -1, len(self.names))
        living = np.isfinite(shares).any((0, 2))
        rows = [["layer", self.layer.name], ["frames", _spans(self.frames)]]
        for place, name in enumerate(self.names):
            curve = np.nansum(shares[:, living, place], 1) / max(int(living.sum()), 1)
            most = int(self.frames[int(curve.argmax())])
            rows.append([f"mean share of {name}, all frames", f"{curve.sum():.1%} (most on frame {most})"])
        rows.append(["living neurons", f"{int(living.sum()):,} of {living.size:,}"])
        return rows


def objects(
    canvas: Canvas,
    layer: LayerKey,
    masks: npt.ArrayLike,
    frame: int = 0,
    names: Sequence[str] | None = None,
    *,
    granularity: str | None = None,
    progress: Progress = False,
) -> Objects:
    """Measure each neuron's mean absolute contribution to each object of a frame.

    Parameters
    ----------
    canvas : Canvas
    layer : str, int or Layer
    masks : array
        As `canvaswidget.analysis.partitions.instances` takes them: labels or booleans, of one frame or of all.
    frame : int
    names : sequence of str, optional
        Of the instances, in the order of their labels, without the rest.
    granularity : {"unit", "kernel"}, optional
    progress : bool or callable
        As in `Canvas.iter`.
    """
    found, frame = find(canvas, layer, frame)
    divided, labels = instances(masks, canvas.inr.size, frame, canvas.inr.n_frames)
    sums = region_sums(canvas, found, divided, frame, granularity, progress).regions
    return objects_from_sums(found, frame, divided, sums, object_names(labels, names), granularity)


def objects_from_sums(
    layer: Layer,
    frame: int,
    masks: Masks,
    sums: FloatArray,
    names: tuple[str, ...],
    granularity: str | None = None,
) -> Objects:
    """The same from the sums ``(n, r)`` over the masks of the objects and the rest."""
    areas = masks.sum((1, 2))
    means = np.where(areas, sums / np.maximum(areas, 1), np.nan).astype(np.float32)
    return Objects(layer, frame, names, areas, means.reshape(*layer.shape_of(granularity), len(areas)))


def objects_over_time(
    canvas: Canvas,
    layer: LayerKey,
    masks: npt.ArrayLike,
    frames: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    *,
    granularity: str | None = None,
    progress: Progress = False,
) -> ObjectsOverTime:
    """Measure the same on several frames (all, by default), one sweep each; see `objects`."""
    chosen = range(canvas.inr.n_frames) if frames is None else frames
    each = [
        objects(canvas, layer, masks, frame, names, granularity=granularity, progress=progress)
        for frame in chosen
    ]
    if not each:
        raise ValueError(f"frames={frames!r}: expected at least one frame")
    return ObjectsOverTime(
        each[0].layer,
        np.array([found.frame for found in each]),
        each[0].names,
        np.stack([found.means for found in each]),
    )


def object_names(labels: tuple[int, ...], names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the instances and of the rest; by their labels where they have none."""
    if names is None:
        return (*(f"object {label}" for label in labels[:-1]), "the rest")
    if len(names) != len(labels) - 1:
        raise ValueError(f"names={list(names)!r}: there are {len(labels) - 1} instances, {labels[:-1]}")
    return (*names, "the rest")


def _parts(values: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    total = np.nansum(values, axis=axes, keepdims=True, dtype=np.float64)
    return np.where(total > 0, values / np.where(total > 0, total, 1), np.nan).astype(np.float32)


def _spans(frames: npt.NDArray[np.int64]) -> str:
    if len(frames) > 1 and (np.diff(frames) == 1).all():
        return f"{frames[0]} to {frames[-1]}"
    return ", ".join(map(str, frames))
