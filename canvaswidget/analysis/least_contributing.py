"""Which neurons of some layers contribute least, over some frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.sampled import Accuracy, Sampling, target_of, together
from canvaswidget.analysis.sampled import totals as totals_of
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import all_neurons, count_neurons

DoubleArray = npt.NDArray[np.float64]
Removed = dict[LayerKey, npt.NDArray[np.int64]]

FRAMES = 4  # that stand for a video


def check_shares(shares: Sequence[float]) -> None:
    """Raise ValueError for a share that is not from 0 to 1, or that is given twice."""
    if not len(shares):
        raise ValueError("shares=[]: expected at least one")
    seen: set[float] = set()
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"share={share!r}: from 0 to 1")
        if share in seen:
            raise ValueError(f"shares: {share!r} is given twice; expected each once")
        seen.add(share)


def require_model(canvas: Canvas) -> None:
    """Raise `NotKeptError` for a saved canvas, which can't render without neurons."""
    if not canvas.has_model:
        canvas.ablate({})


def chosen_layers(canvases: Sequence[Canvas], layers: LayerKey | Sequence[LayerKey] | None) -> list[Layer]:
    """The given layers; by default every layer that a canvas traces, except the model's first and features of grids."""
    known = canvases[0].layers
    if layers is None:
        traced = [layer for layer in known if any(layer in list(canvas.traced_layers) for canvas in canvases)]
        traced = [layer for layer in traced if not layer.has_features] or traced
        return [layer for layer in traced if layer != known.first_of_weights] or traced
    keys = [layers] if isinstance(layers, str | int | Layer) else list(layers)
    if not keys:
        raise ValueError("layers=[]: expected at least one layer")
    return [known.find(key) for key in keys]


def spread_frames(n_frames: int) -> list[int]:
    """Up to four frames, evenly spread, which stand for the whole clip."""
    return sorted(set(np.linspace(0, n_frames - 1, min(FRAMES, n_frames)).round().astype(int).tolist()))


def chosen_frames(canvas: Canvas, frames: Sequence[int] | None) -> list[int]:
    """The frames that were asked for; by default a few that stand for the clip."""
    n_frames = canvas.inr.n_frames
    if frames is None:
        return spread_frames(n_frames)
    if not len(frames):
        raise ValueError("frames=[]: expected at least one frame")
    return [canvas.inr.frame_index(frame) for frame in frames]


def totals_of_layers(
    canvas: Canvas,
    layers: Sequence[Layer],
    frames: Sequence[int],
    granularity: str,
    accuracy: Accuracy,
    seed: int,
    counted: Steps,
) -> tuple[list[tuple[Layer, DoubleArray]], Sampling | None]:
    """Each layer's absolute contributions, over pixels and frames."""
    counted.plan(len(frames) * sum(count_neurons(layer, granularity) for layer in layers))
    found, samplings = [], []
    for layer in layers:
        total = np.zeros(count_neurons(layer, granularity))
        target = target_of(canvas, layer, frames[0], accuracy, granularity, len(frames))
        for frame in frames:
            report = counted.part(len(total))
            one = totals_of(canvas, layer, frame, granularity, target, seed, report)
            report(len(total), len(total))  # it may have been known
            total += one.values
            samplings.append(one.sampling)
        found.append((layer, total))
    return found, together(samplings)


def least(totals: Sequence[tuple[Layer, DoubleArray]], share: float, granularity: str) -> Removed:
    """The neurons of each layer with the smallest totals, a share of all."""
    removed: Removed = {}
    for layer, values in totals:
        rising = np.argsort(values, kind="stable")[: round(share * len(values))]
        removed[layer] = all_neurons(layer, granularity).numpy()[rising]
    return removed
