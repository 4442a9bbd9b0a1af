"""What happens when things move: change of contributions from frame to frame, beside optical flow (XINC section 4.4).

Both are smooth pictures, and smooth pictures often agree by chance, most of all where both are darker at the borders or
brighter in the centre. `spatial` says how their agreement is tested.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.intensity import rank_correlation
from canvaswidget.analysis.intervals import mean
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.partitions import GREY
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling, filled, interpolated, target_of
from canvaswidget.analysis.sampled_changes import MeasuredChanges, sampled_changes
from canvaswidget.analysis.spatial import agree, margin
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_accuracy, some_frames
from canvaswidget.inr.outputs import in_colour
from canvaswidget.plotting.style import (
    CYCLE,
    INK,
    QUIET,
    colour_bar,
    heading,
    legend_below,
    new_axes,
    new_pictures,
    pixels,
    style,
)
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.colours import COLOURS_SAID, rgb_of_magnitudes
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]

TOGETHER = 4  # frames swept side by side; all but the last of them are not swept again


@dataclass(frozen=True, eq=False, repr=False)
class Motion(Estimated, Printed):
    """Change of a layer's contributions between frames, and the motion of the picture.

    Where it is estimated, `change` is exact at the pixels that were drawn, and NaN elsewhere; `whole_frame` is over
    these pixels, and for `agreement` change and speed are interpolated linearly between them.

    Attributes
    ----------
    layer : Layer
    frames : (t + 1,)
        Change and motion lie between each frame and the next.
    change : (t, height, width)
        Sum over neurons of ``abs(abs(C_next) - abs(C))``.
    neuron_change : (t, n) or (t, n_in, n_out)
        The same summed over pixels instead, for each neuron.
    flow : (t, height, width, 2)
        By how many pixels ``(dy, dx)`` what is at a pixel moves until the next frame.
    source : str
        Where the flow is from: ``"given"`` or ``"TV-L1"``.
    whole_frame : (t,)
        Spearman's rank correlation over all pixels of `change` with the speed, the length of `flow`; nan where one of
        the two is constant.
    crop : (rows, columns)
        Left out at each border in what follows: where padding darkens maps and flow is not known well.
    agreement : (t,)
        The rank correlation within the crop, without trends and without slow variation along one axis or about the
        centre.
    by_chance : (t, 2)
        The middle and the 95th percentile of the same for unrelated maps with these spectra.
    p : (t,)
        Share of unrelated maps that agree at least as well.
    mean, mean_by_chance, mean_p
        The same of the mean over all pairs of frames, as one test: pairs of one clip are not independent.
    rgb : str
        How magnitudes add colours: ``"abs"``, the magnitude of each colour, or ``"sum"``, the magnitude of their sum.
    low, high : as `neuron_change`, or None
        95% intervals of these; None where they are exact.
    sampling : Sampling or None
        How it was estimated; None where it is exact.
    """

    title: ClassVar[str] = "motion"
    layer: Layer
    frames: npt.NDArray[np.int64]
    change: FloatArray
    neuron_change: FloatArray
    flow: FloatArray
    source: str
    whole_frame: FloatArray
    crop: tuple[int, int]
    agreement: FloatArray
    by_chance: FloatArray
    p: FloatArray
    mean: float
    mean_by_chance: FloatArray
    mean_p: float
    rgb: str
    low: FloatArray | None = None
    high: FloatArray | None = None
    sampling: Sampling | None = None

    @property
    def speed(self) -> FloatArray:
        """Length of the flow, pixels a frame."""
        return np.hypot(self.flow[..., 0], self.flow[..., 1])

    def to_frame(self) -> pandas.DataFrame:
        """One row a pair of frames, how far change and motion agree there; pandas is imported here."""
        import pandas

        total = self.neuron_change.reshape(len(self.change), -1).sum(1, dtype=np.float64)
        found = {"frame": self.frames[:-1], "next": self.frames[1:], "change": total}
        found |= {name: getattr(self, name) for name in ("whole_frame", "agreement", "p")}
        return pandas.DataFrame(
            {**found, "by_chance": self.by_chance[:, 0], "by_chance_95": self.by_chance[:, 1]}
        )

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The agreement of each pair of frames, beside that of unrelated maps."""
        ax = ax or new_axes()
        with style():
            places = self.frames[1:]
            ax.plot(places, self.agreement, color=CYCLE[0], lw=1.2, marker="o", ms=2.5, label="observed")
            ax.plot(places, self.by_chance[:, 0], color=QUIET, lw=0.9, label="by chance: middle")
            ax.plot(places, self.by_chance[:, 1], color=QUIET, lw=0.9, ls="--", label="by chance: 95%")
            ax.axhline(0, color=INK, lw=0.5)
            ax.set(xlabel="frame (against the one before)", ylabel="rank correlation of\nchange and speed")
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            rows, columns = self._cropped()
            heading(
                ax,
                self.layer.name,
                f"flow {self.source}",
                f"n = {rows * columns:,} pixels",
                *self.estimated(),
            )
            legend_below(ax)
        return ax

    def _cropped(self) -> tuple[int, int]:
        return self.change.shape[1] - 2 * self.crop[0], self.change.shape[2] - 2 * self.crop[1]

    @checked
    def plot_pair(self, pair: int = 0) -> Figure:
        """The change between two frames beside the speed of the picture."""
        if not -len(self.change) <= pair < len(self.change):
            raise IndexError(f"pair={pair}: there are {len(self.change)} pairs of frames")
        axes = new_pictures(2, self.change.shape[1:])
        first = self.frames[pair % len(self.change)]
        words = f"frame {first} to {self.frames[pair % len(self.change) + 1]}"
        change = (f"change of {self.layer.name}", words, *self.estimated())
        parts = (
            (change, filled(self.change[pair]), "sum of |change| (raw level)"),
            (("optical flow", self.source), self.speed[pair], "speed (pixels a frame)"),
        )
        with style():
            for ax, (named, values, label) in zip(axes, parts, strict=True):
                image = ax.imshow(values, cmap="viridis", vmin=0, interpolation="nearest")
                heading(ax, *named)
                pixels(ax)
                colour_bar(ax, image, label)
        return cast(Figure, axes[0].figure)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The change, mean over pairs of frames; its rank correlation with the speed over the whole frame, the same within
        the crop without trends, and the 95th percentile of that for unrelated maps.
        """
        each_pair = self.neuron_change.reshape(len(self.neuron_change), -1).sum(1, dtype=np.float64)
        return {
            "change": float(each_pair.mean()),
            "whole_frame": mean(self.whole_frame.astype(np.float64)),
            "agreement": self.mean,
            "agreement_by_chance": float(self.mean_by_chance[1]),
        }

    def rows(self) -> list[list[str]]:
        known, whole = np.isfinite(self.agreement), self.whole_frame[np.isfinite(self.whole_frame)]
        count, (inner, across) = int(known.sum()), self._cropped()
        rows = [
            ["layer", self.layer.name],
            ["pairs of frames", f"{len(self.change)} (frames {self.frames[0]} to {self.frames[-1]})"],
            ["optical flow", self.source],
            ["colours", COLOURS_SAID[self.rgb]],
        ]
        if len(whole):
            rows.append(
                [f"rank correlation of change and speed, mean of {len(whole)} pairs", f"{whole.mean():+.3f}"]
            )
        if count:
            rows += [
                [
                    f"the same in the inner {inner}x{across} pixels, without trends and centre or border effects",
                    f"{self.mean:+.3f}",
                ],
                ["95th percentile of that for unrelated maps", f"{self.mean_by_chance[1]:+.3f}"],
                ["p of all pairs together", f"{self.mean_p:.3f}"],
                [
                    "pairs with p < 0.05 each",
                    f"{int((self.p[known] < 0.05).sum())} of {count} ({0.05 * count:.3g} expected by chance)",
                ],
            ]
        if not known.all():
            rows.append(["pairs where nothing moves or nothing changes", f"{int((~known).sum())}"])
        return rows + self.sampling_rows()


@over_runs
@checked(frames=some_frames, accuracy=some_accuracy)
def motion(
    canvas: CanvasLike,
    layer: LayerKey,
    frames: Sequence[int] | None = None,
    flow: npt.ArrayLike | None = None,
    *,
    granularity: str | None = None,
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Motion:
    """Compare how contributions change from frame to frame with how the picture moves.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frames : sequence of int, optional
        At least two; each is compared with the one before it. All, by default.
    flow : (t, height, width, 2), optional
        From each of `frames` to the next in pixels ``(dy, dx)``, or the same for all frames of the video where
        `frames` are some that follow each other. Without it TV-L1 flow is computed, from the original frames where the
        INR has them, else from those it renders.
    granularity : {"unit", "kernel"}, optional
    accuracy : float, "auto" or None
        None for exact numbers. Otherwise columns are drawn until half of the 95% interval of a neuron's change is this
        part of it, in the median over neurons, for each pair of frames. By default exact where that takes at most about
        10 s, else 0.05. Rules that can't be sampled (all but `gated`) are always exact.
    seed : int
        Of the sample.
    progress : bool or callable
        As in `Canvas.iter`; it starts again with each few frames.
    """
    found, _ = find(canvas, layer, 0)
    chosen = [
        canvas.inr.frame_index(frame) for frame in (range(canvas.inr.n_frames) if frames is None else frames)
    ]
    if len(chosen) < 2:
        raise ValueError(
            f"frames={frames!r}: motion needs two frames or more; the INR has {canvas.inr.n_frames}"
        )
    known = None if flow is None else _given(np.asarray(flow, np.float32), chosen, canvas)
    target = target_of(canvas, found, chosen[0], accuracy, granularity, len(chosen))
    if target is None:
        measured = MeasuredChanges(*changes(canvas, found, chosen, granularity, progress))
    else:
        measured = sampled_changes(canvas, found, chosen, TOGETHER, granularity, seed, target, progress)
    change = measured.change
    if known is None:
        known = optical_flow([picture(canvas, frame) for frame in chosen])
    speed = np.hypot(known[..., 0], known[..., 1])
    crop = margin(canvas.inr.size, _padded(canvas, found))
    at_known = np.where(np.isnan(change), np.nan, speed)
    shown = [np.stack([interpolated(one) for one in maps]) for maps in (change, at_known)]
    tested = agree(shown[0], shown[1], crop)
    shape = (len(change), *found.shape_of(granularity))
    return Motion(
        found,
        np.array(chosen),
        change,
        measured.neuron_change.reshape(shape),
        known,
        "TV-L1" if flow is None else "given",
        np.array([rank_correlation(one, two) for one, two in zip(change, speed, strict=True)], np.float32),
        crop,
        tested.values,
        tested.by_chance,
        tested.p,
        tested.mean,
        tested.mean_by_chance,
        tested.mean_p,
        rgb_of_magnitudes(canvas, found),
        None if measured.low is None else measured.low.reshape(shape),
        None if measured.high is None else measured.high.reshape(shape),
        measured.sampling,
    )


def _padded(canvas: CanvasLike, layer: Layer) -> tuple[float, float]:
    """How far from the borders the padding of a layer and of those after it reaches, in rows and columns of pixels."""
    reach, after = [0.0, 0.0], canvas.layers[list(canvas.layers).index(layer) :]
    for each in after:
        if each.grid is None or len(each.grid) < 2 or min(each.grid[-2:]) < 2:
            continue
        for axis in (0, 1):
            pixels = canvas.inr.size[axis] / each.grid[axis - 2]  # of a row or column of the layer's output
            reach[axis] += each.kernel_size[axis - 2] // 2 * pixels
    return reach[0], reach[1]


def picture(canvas: CanvasLike, frame: int) -> FloatArray:
    """The original frame where the INR has it, else what the model renders, in [0, 1]."""
    truth = canvas.inr.truth
    return np.clip(canvas.frame(frame) if truth is None else np.asarray(truth[frame], np.float32), 0, 1)


@checked
def optical_flow(pictures: Sequence[npt.NDArray[Any]]) -> FloatArray:
    """TV-L1 flow ``(dy, dx)`` from each picture to the next, of their grey levels."""
    from skimage.registration import optical_flow_tvl1

    greys = [np.asarray(in_colour(shown) @ np.array(GREY), np.float32) for shown in pictures]
    height, width = greys[0].shape
    # Nothing moves across a single row or column, and it has no gradient: two alike stand for it.
    alike = [np.pad(grey, ((0, height == 1), (0, width == 1)), "edge") for grey in greys]
    found = [np.stack(optical_flow_tvl1(one, other), -1) for one, other in itertools.pairwise(alike)]
    flow = np.stack(found)[:, :height, :width].astype(np.float32)
    flow[..., [height == 1, width == 1]] = 0
    return flow


def agreement(change: FloatArray, speed: FloatArray) -> tuple[float, float, float, float]:
    """The agreement of one pair of maps; its middle and 95th percentile by chance; p."""
    found = agree(change[None], speed[None])
    middle, high = found.by_chance[0]
    return float(found.values[0]), float(middle), float(high), float(found.p[0])


def _given(flow: FloatArray, chosen: Sequence[int], canvas: CanvasLike) -> FloatArray:
    size, n_frames = canvas.inr.size, canvas.inr.n_frames
    if flow.ndim == 4 and flow.shape[1:] == (*size, 2):
        if len(flow) == len(chosen) - 1:
            return flow
        if len(flow) == n_frames - 1 and all(b - a == 1 for a, b in itertools.pairwise(chosen)):
            return flow[chosen[0] : chosen[-1]]
    raise ValueError(
        f"flow: has shape {flow.shape}; expected ({len(chosen) - 1}, {size[0]}, {size[1]}, 2), from each frame to the "
        "next, or that for the whole video where the frames follow each other"
    )


def changes(
    canvas: CanvasLike, layer: Layer, chosen: Sequence[int], granularity: str | None, progress: Progress
) -> tuple[FloatArray, FloatArray]:
    """Changes per pixel and per neuron: a few frames are swept side by side, chunk by chunk."""
    pairs = len(chosen) - 1
    change = np.zeros((pairs, *canvas.inr.size))
    per_neuron: list[list[FloatArray]] = [[] for _ in range(pairs)]
    for start in range(0, pairs, TOGETHER - 1):
        part = chosen[start : start + TOGETHER]
        for step, magnitudes in _side_by_side(canvas, layer, part, granularity, progress):
            np.abs(magnitudes, out=magnitudes)
            change[start + step] += magnitudes.sum(0)
            per_neuron[start + step].append(magnitudes.sum((1, 2)))
    return change.astype(np.float32), np.stack([np.concatenate(parts) for parts in per_neuron])


def _side_by_side(
    canvas: CanvasLike, layer: Layer, frames: Sequence[int], granularity: str | None, progress: Progress
) -> Iterator[tuple[int, FloatArray]]:
    """Differences of absolute maps between each frame and the next, of every chunk."""
    sweeps = [
        canvas.reduce(
            layer,
            _magnitudes,
            frame,
            granularity=granularity,
            rgb=rgb_of_magnitudes(canvas, layer),
            progress=progress if place == 0 else False,
        )
        for place, frame in enumerate(frames)
    ]
    for chunk in zip(*sweeps, strict=True):
        maps = [magnitudes for _, magnitudes in chunk]
        for step, (one, other) in enumerate(itertools.pairwise(maps)):
            yield step, other - one


def _magnitudes(maps: torch.Tensor) -> FloatArray:
    return maps.abs().float().cpu().numpy()
