"""Which layers' totals are estimated in a file, and how long all totals take."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from canvaswidget.tracing.accuracy import ACCURACY, EXACT_SECONDS, MOST_PASSES
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.protocol import CanvasLike

# By layer, of estimates: how accurate they are to be, and passes at most.
Targets = dict[str, tuple[float, float]]


def targets_of(
    canvas: CanvasLike, layers: Sequence[Layer], frames: Sequence[int], accuracy: float | str | None
) -> Targets:
    """What is estimated of some layers: all for a number, for "auto" where exact totals would take long."""
    if accuracy is None or not canvas.can_sample:
        return {}
    if not isinstance(accuracy, str):
        return {layer.name: (accuracy, math.inf) for layer in layers}
    return {
        layer.name: (ACCURACY, MOST_PASSES)
        for layer in layers
        if canvas.estimate(layer, frames[0]).seconds * len(frames) > EXACT_SECONDS
    }


def seconds_of(
    canvas: CanvasLike,
    layers: Sequence[Layer],
    frames: Sequence[int],
    targets: Mapping[str, tuple[float, float]],
) -> float:
    """How long the totals take: exact ones, and estimates from as many passes as they may take at most."""
    found = 0.0
    for layer in layers:
        seconds = canvas.estimate(layer, frames[0]).seconds
        if layer.name in targets:
            start = time.perf_counter()
            passes = next(canvas.improving_summaries(layer, frames[0]))[layer.name].passes
            seconds = min(seconds, (time.perf_counter() - start) / passes * MOST_PASSES)
        found += seconds * len(frames)
    return found
