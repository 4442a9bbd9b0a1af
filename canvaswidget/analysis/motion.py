"""What happens when things move: change of contributions from frame to frame, beside optical flow (XINC section 4.4).

Both are smooth pictures, and smooth pictures often agree by chance. So their agreement is held against that of the
same two pictures moved across each other: one is shifted by every possible number of rows and columns (what leaves at
one border comes in at the other), which keeps its smoothness and breaks only what is where.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from canvaswidget.analysis.partitions import GREY
from canvaswidget.analysis.sweeps import find
from canvaswidget.drawing import CYCLE, INK, QUIET, colour_bar, heading, new_axes, new_pictures, pixels, style
from canvaswidget.outputs import in_colour
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas, LayerKey, Progress
from canvaswidget.tracing.layers import Layer

FloatArray = npt.NDArray[np.float32]

TOGETHER = 4  # frames swept side by side; all but the last of them are not swept again


@dataclass(frozen=True, eq=False, repr=False)
class Motion(Printed):
    """Change of a layer's contributions between frames, and the motion of the picture.

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
    agreement : (t,)
        Spearman's rank correlation over pixels of `change` with the speed, the length of `flow`; nan where one of
        the two is constant.
    by_chance : (t, 2)
        The middle and the 95th percentile of the same correlation when one is shifted across the other, over all
        shifts by rows and columns.
    p : (t,)
        Part of the shifts that agree at least as well as no shift.
    """

    title: ClassVar[str] = "motion"
    layer: Layer
    frames: npt.NDArray[np.int64]
    change: FloatArray
    neuron_change: FloatArray
    flow: FloatArray
    source: str
    agreement: FloatArray
    by_chance: FloatArray
    p: FloatArray

    @property
    def speed(self) -> FloatArray:
        """Length of the flow, pixels a frame."""
        return np.hypot(self.flow[..., 0], self.flow[..., 1])

    def plot(self, ax: Axes | None = None) -> Axes:
        """The agreement of each pair of frames, beside what shifts of one across the other give."""
        ax = ax or new_axes()
        with style():
            places = self.frames[1:]
            ax.plot(places, self.agreement, color=CYCLE[0], lw=1.2, marker="o", ms=2.5, label="in place")
            ax.plot(places, self.by_chance[:, 0], color=QUIET, lw=0.9, label="shifted: middle")
            ax.plot(places, self.by_chance[:, 1], color=QUIET, lw=0.9, ls="--", label="shifted: 95%")
            ax.axhline(0, color=INK, lw=0.5)
            ax.set(xlabel="frame (against the one before)", ylabel="rank correlation of\nchange and speed")
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            count = self.change.shape[1] * self.change.shape[2]
            heading(ax, self.layer.name, f"flow {self.source}", f"n = {count:,} pixels")
            ax.legend(frameon=False, fontsize=6, handlelength=1.6, ncols=3)
            low, high = ax.get_ylim()
            ax.set_ylim(low, high + 0.25 * (high - low))
        return ax

    def plot_pair(self, pair: int = 0) -> Figure:
        """The change between two frames beside the speed of the picture."""
        if not -len(self.change) <= pair < len(self.change):
            raise IndexError(f"pair={pair}: there are {len(self.change)} pairs of frames")
        axes = new_pictures(2, self.change.shape[1:])
        first = self.frames[pair % len(self.change)]
        change = (
            f"change of {self.layer.name}",
            f"frame {first} to {self.frames[pair % len(self.change) + 1]}",
        )
        parts = (
            (change, self.change[pair], "sum of |change| (RGB level)"),
            (("optical flow", self.source), self.speed[pair], "speed (pixels a frame)"),
        )
        with style():
            for ax, (words, values, label) in zip(axes, parts, strict=True):
                image = ax.imshow(values, cmap="viridis", vmin=0, interpolation="nearest")
                heading(ax, *words)
                pixels(ax)
                colour_bar(ax, image, label)
        return cast(Figure, axes[0].figure)

    def rows(self) -> list[list[str]]:
        known = np.isfinite(self.agreement)
        rows = [
            ["layer", self.layer.name],
            ["pairs of frames", f"{len(self.change)}"],
            ["optical flow", self.source],
        ]
        if known.any():
            rows += [
                ["rank correlation of change and speed, mean", f"{self.agreement[known].mean():+.3f}"],
                ["the same by chance (shifted), mean", f"{self.by_chance[known, 0].mean():+.3f}"],
                [
                    "pairs that agree better than 95% of shifts",
                    f"{int((self.p[known] < 0.05).sum())} of {int(known.sum())}",
                ],
            ]
        if not known.all():
            rows.append(["pairs where nothing moves or nothing changes", f"{int((~known).sum())}"])
        return rows


def motion(
    canvas: Canvas,
    layer: LayerKey,
    frames: Sequence[int] | None = None,
    flow: npt.ArrayLike | None = None,
    *,
    granularity: str | None = None,
    progress: Progress = False,
) -> Motion:
    """Compare how contributions change from frame to frame with how the picture moves.

    Parameters
    ----------
    canvas : Canvas
    layer : str, int or Layer
    frames : sequence of int, optional
        At least two; each is compared with the one before it. All, by default.
    flow : (t, height, width, 2), optional
        From each of `frames` to the next in pixels ``(dy, dx)``, or the same for all frames of the video where
        `frames` are some that follow each other. Without it TV-L1 flow is computed, from the original frames where the
        INR has them, else from those it renders.
    granularity : {"unit", "kernel"}, optional
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
    change, neuron_change = changes(canvas, found, chosen, granularity, progress)
    if known is None:
        known = optical_flow([picture(canvas, frame) for frame in chosen])
    scores = [
        agreement(one, np.hypot(*two.transpose(2, 0, 1))) for one, two in zip(change, known, strict=True)
    ]
    return Motion(
        found,
        np.array(chosen),
        change,
        neuron_change.reshape(len(change), *found.shape_of(granularity)),
        known,
        "TV-L1" if flow is None else "given",
        np.array([score[0] for score in scores], np.float32),
        np.array([score[1:3] for score in scores], np.float32),
        np.array([score[3] for score in scores], np.float32),
    )


def picture(canvas: Canvas, frame: int) -> FloatArray:
    """The original frame where the INR has it, else what the model renders, in [0, 1]."""
    truth = canvas.inr.truth
    return np.clip(canvas.frame(frame) if truth is None else np.asarray(truth[frame], np.float32), 0, 1)


def optical_flow(pictures: Sequence[npt.NDArray[Any]]) -> FloatArray:
    """TV-L1 flow ``(dy, dx)`` from each picture to the next, of their grey levels."""
    from skimage.registration import optical_flow_tvl1

    greys = [np.asarray(in_colour(shown) @ np.array(GREY), np.float32) for shown in pictures]
    pairs = itertools.pairwise(greys)
    return np.stack([np.stack(optical_flow_tvl1(one, other), -1).astype(np.float32) for one, other in pairs])


def agreement(change: FloatArray, speed: FloatArray) -> tuple[float, float, float, float]:
    """Spearman's correlation; its median and 95th percentile over all shifts; the part of shifts as good."""
    from scipy.stats import rankdata

    ranks = []
    for values in (change, speed):
        rank = rankdata(values).reshape(values.shape)
        rank -= rank.mean()
        length = float(np.sqrt((rank**2).sum()))
        if not length:
            return np.nan, np.nan, np.nan, np.nan
        ranks.append(rank / length)
    # Correlations with every shift at once: a product of Fourier transforms.
    one, other = (np.fft.rfft2(rank) for rank in ranks)
    shifted = np.fft.irfft2(np.conj(one) * other, s=change.shape).ravel()
    found = float(shifted[0])
    rounding = 1e-9
    return (
        found,
        float(np.median(shifted)),
        float(np.percentile(shifted, 95)),
        float((shifted >= found - rounding).mean()),
    )


def _given(flow: FloatArray, chosen: Sequence[int], canvas: Canvas) -> FloatArray:
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
    canvas: Canvas, layer: Layer, chosen: Sequence[int], granularity: str | None, progress: Progress
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
    canvas: Canvas, layer: Layer, frames: Sequence[int], granularity: str | None, progress: Progress
) -> Iterator[tuple[int, FloatArray]]:
    """Differences of absolute maps between each frame and the next, of every chunk."""
    sweeps = [
        canvas.reduce(
            layer, _magnitudes, frame, granularity=granularity, progress=progress if place == 0 else False
        )
        for place, frame in enumerate(frames)
    ]
    for chunk in zip(*sweeps, strict=True):
        maps = [magnitudes for _, magnitudes in chunk]
        for step, (one, other) in enumerate(itertools.pairwise(maps)):
            yield step, other - one


def _magnitudes(maps: torch.Tensor) -> FloatArray:
    return maps.abs().float().cpu().numpy()
