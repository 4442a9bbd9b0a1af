"""What every neuron of a layer contributes to a frame, and how that changes; heat maps about the whole layer."""

from __future__ import annotations

import math
from time import monotonic
from typing import Any

import numpy as np

from canvaswidget.analysis.distribution import distribution
from canvaswidget.analysis.intensity import compare
from canvaswidget.analysis.motion import changes as changes_of_frames
from canvaswidget.kernel import neuron_maps, pictures
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer

LARGE = 1e8  # values of all maps of a layer, from where their totals are estimated: exact ones take seconds
ACCURACY = 0.05
PATIENCE = 4.0  # seconds for better estimates


def summary(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Any:
    """Totals of a layer; the canvas stores them."""
    rgb = None if cached.channel == "sum" else cached.channel  # by default colours are added by magnitude
    return cached.canvas.summary(layer.name, frame=time, rgb=rgb, progress=checkpoint)


def totals(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Floats:
    """The sum of each neuron's magnitudes, in C order."""
    totals = np.asarray(summary(cached, layer, time, checkpoint).neuron_abs).ravel()
    check_finite(f"the totals of layer {layer.name!r}, frame {time}", totals)
    return totals


def order(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> tuple[Floats, float]:
    """Totals to sort neurons by, and half the width of their 95 % intervals as a part of them; 0 where exact.

    Estimates where the exact totals would take long: as good as can be had in a few seconds.
    """
    canvas = cached.canvas
    is_long = layer.n_kernels * math.prod(cached.size) > LARGE
    if not (is_long and canvas.has_model and canvas.rule == "gated"):
        return totals(cached, layer, time, checkpoint), 0.0

    def compute() -> tuple[Floats, float]:
        rgb = None if cached.channel == "sum" else cached.channel
        found, start = None, monotonic()
        for looks in canvas.improving_summaries(layer.name, time, ACCURACY, rgb=rgb, progress=checkpoint):
            found = looks[layer.name]
            if monotonic() - start > PATIENCE:
                break
        assert found is not None  # there is a first look
        return np.asarray(found.neuron_abs).ravel(), found.half_width

    estimates, half_width = cached.cache.remember(cached.key("estimated totals", layer.name, time), compute)
    check_finite(f"the totals of layer {layer.name!r}, frame {time}", estimates)
    return estimates, half_width


def changes(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Floats:
    """How much each neuron's magnitudes differ from the previous frame's (the next one's at frame 0)."""

    def compute() -> Floats:
        other = time - 1 if time > 0 else min(1, cached.n_frames - 1)
        count = int(np.prod(layer.neurons))
        found = np.zeros(count, np.float32)
        for first, block in neuron_maps.blocks(cached, cached.canvas.kept(layer)):
            checkpoint(first, count)
            now, then = (
                neuron_maps.signed_and_sizes(cached, layer, block, frame)[1] for frame in (time, other)
            )
            found[block] = np.abs(now - then).sum((1, 2))
        return found

    return cached.cache.remember(cached.key("changes", layer.name, time), compute)


def heat_map(cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report) -> Floats:
    """A heat map about a whole layer: `neurons`, `intensity` (which has a sign) or `change`."""

    def compute() -> Floats:
        if overlay == "neurons":
            spread = distribution(cached.canvas, layer.name, time, (0.1,), progress=checkpoint)
            return spread.neurons_per_pixel[0].astype(np.float32)
        if overlay == "intensity":
            summed = cached.of_channel("sum")  # findings are of the colours added, whichever is shown
            total = np.asarray(summary(summed, layer, time, checkpoint).pixel_abs)
            check_finite(f"the totals of layer {layer.name!r}, frame {time}", total)
            return compare(layer, time, total, pictures.frame(cached, time)).difference
        if cached.n_frames < 2:
            raise ValueError("overlay='change': this INR has one frame, so nothing changes")
        other = time - 1 if time > 0 else 1
        change, _ = changes_of_frames(cached.canvas, layer, [other, time], None, checkpoint)
        check_finite(f"the change of layer {layer.name!r}, frame {time}", change)
        return change[0]

    return cached.cache.remember((cached.canvas.rule, overlay, layer.name, time), compute)
