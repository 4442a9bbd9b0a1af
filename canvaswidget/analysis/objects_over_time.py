"""Which neurons make which object from frame to frame (XINC section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from canvaswidget.analysis.intervals import mean
from canvaswidget.analysis.objects import measure_objects, parts
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.quartiles import quartiles
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling, target_of, together
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_accuracy, some_frames
from canvaswidget.plotting.style import CYCLE, heading, legend_below, legend_label, new_axes, style
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class ObjectsOverTime(Estimated, Printed):
    """How each neuron's contributions to objects change from frame to frame.

    Attributes
    ----------
    layer : Layer
    frames : (t,)
    names : tuple of str
        As in `Objects`.
    means : (t, n, r) or (t, n_in, n_out, r)
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

    title: ClassVar[str] = "objects over time"
    layer: Layer
    frames: npt.NDArray[np.int64]
    names: tuple[str, ...]
    means: FloatArray
    as_released: bool = False
    rgb: str = "sum"
    low: FloatArray | None = None
    high: FloatArray | None = None
    sampling: Sampling | None = None

    @property
    def shares(self) -> FloatArray:
        """`means` of each neuron as parts of their sum over frames and objects; nan for a dead neuron.

        A share belongs to one frame and one object: a neuron's shares of all frames and objects together make 1.
        """
        return parts(self.means, (0, -1))

    @property
    def quartiles(self) -> FloatArray:
        """``(3, t, r)``: lower quartile, median, upper quartile of the living neurons' `shares`; nan where unknown."""
        shares = self.shares.reshape(len(self.frames), -1, len(self.names))
        rows = shares.swapaxes(1, 2).reshape(-1, shares.shape[1])
        return quartiles(rows).reshape(3, len(self.frames), len(self.names)).astype(np.float32)

    @property
    def n_living(self) -> int:
        """Number of neurons that contribute to any object on any frame."""
        shares = self.shares.reshape(len(self.frames), -1, len(self.names))
        return int(np.isfinite(shares).any((0, 2)).sum())

    def to_frame(self) -> pandas.DataFrame:
        """One row a frame and a neuron, a column an object: its mean contribution to a pixel of it."""
        import pandas

        shape, groups = self.means.shape[1:-1], self.layer.n_groups
        tables = {
            int(frame): neuron_frame(
                dict(zip(self.names, np.moveaxis(means, -1, 0), strict=True)), shape, groups
            )
            for frame, means in zip(self.frames, self.means, strict=True)
        }
        return pandas.concat(tables).rename_axis(["frame", "neuron"])

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Each object's share on each frame: the median and the quartiles of the neurons."""
        ax = ax or new_axes()
        low, middle, high = self.quartiles
        with style():
            for place, name in enumerate(self.names):
                if not np.isfinite(middle[:, place]).any():
                    continue
                colour = CYCLE[place % len(CYCLE)]
                ax.plot(
                    self.frames,
                    middle[:, place],
                    color=colour,
                    lw=1.2,
                    marker="o",
                    ms=2,
                    label=legend_label(name),
                )
                ax.fill_between(self.frames, low[:, place], high[:, place], color=colour, alpha=0.15, lw=0)
            ax.set(xlabel="frame", ylabel="share on the frame\n(median, quartiles of neurons)")
            ax.set_ylim(bottom=0)
            ax.yaxis.set_major_formatter(PercentFormatter(1))
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            heading(ax, self.layer.name, f"n = {self.n_living:,} living neurons", *self.estimated())
            if ax.get_lines():
                legend_below(ax)
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The neurons' median share of each object, mean over the frames where it is.
        """
        curves = self.quartiles[1].astype(np.float64).T
        return {f"share_of_{name}": mean(curve) for name, curve in zip(self.names, curves, strict=True)}

    def rows(self) -> list[list[str]]:
        rows = [
            ["layer", self.layer.name],
            ["frames", _spans(self.frames)],
            ["colours", COLOURS_SAID[self.rgb]],
        ]
        for name, curve in zip(self.names, self.quartiles[1].T, strict=True):
            if not np.isfinite(curve).any():
                continue
            most = int(self.frames[int(np.nanargmax(curve))])
            told = f"{np.nanmin(curve):.2%} to {np.nanmax(curve):.2%} (most on frame {most})"
            rows.append([f"share of {name} on a frame, median of neurons", told])
        rows.append(["living neurons", f"{self.n_living:,} of {self.means[0, ..., 0].size:,}"])
        if self.as_released:
            rows.append(["", "as the published notebooks computed it"])
        return rows + self.sampling_rows()


@over_runs
@checked(frames=some_frames, accuracy=some_accuracy)
def objects_over_time(
    canvas: CanvasLike,
    layer: LayerKey,
    masks: npt.ArrayLike,
    frames: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    *,
    as_released: bool = False,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> ObjectsOverTime:
    """Measure the same on several frames (all, by default); see `objects`.

    By default it is exact where all frames together take at most about 10 s.
    """
    chosen = list(range(canvas.inr.n_frames) if frames is None else frames)
    if not chosen:
        raise ValueError(f"frames={frames!r}: expected at least one frame")
    found, first = find(canvas, layer, chosen[0])
    target = target_of(canvas, found, first, accuracy, granularity, len(chosen), as_released)
    each = [
        measure_objects(
            canvas,
            found,
            masks,
            canvas.inr.frame_index(frame),
            names,
            as_released,
            granularity,
            seed,
            target,
            progress,
        )
        for frame in chosen
    ]
    sampling = together([one.sampling for one in each])
    return ObjectsOverTime(
        found,
        np.array([one.frame for one in each]),
        each[0].names,
        np.stack([one.means for one in each]),
        as_released,
        each[0].rgb,
        None if sampling is None else np.stack([cast(FloatArray, one.low) for one in each]),
        None if sampling is None else np.stack([cast(FloatArray, one.high) for one in each]),
        sampling,
    )


def _spans(frames: npt.NDArray[np.int64]) -> str:
    if len(frames) > 1 and (np.diff(frames) == 1).all():
        return f"{frames[0]} to {frames[-1]}"
    return ", ".join(map(str, frames))
