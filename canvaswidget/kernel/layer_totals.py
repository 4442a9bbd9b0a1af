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
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.estimates import NORMAL
from canvaswidget.tracing.layers import Layer

LARGE = 1e8  # values of all maps of a layer, from where their totals are estimated: exact ones take seconds
ENOUGH_PIXELS = 12  # that tell how much a change varies
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


class Estimating:
    """Estimates of a layer's totals that get better from look to look, on the way."""

    def __init__(self, cached: CachedCanvas, layer: Layer, time: int) -> None:
        self.report: Report = lambda done, planned: None
        self._look, self._found = -1, None
        self._looks: Any = cached.canvas.improving_summaries(
            layer.name,
            time,
            ACCURACY,
            rgb=None if cached.channel == "sum" else cached.channel,
            # Of whoever asks at the moment.
            progress=lambda done, planned: self.report(done, planned),
        )

    def at(self, look: int, checkpoint: Report) -> tuple[Floats, float] | None:
        """What look number `look` shows, the last one if there are fewer; None where it has gone by."""
        if look < self._look:
            return None
        self.report = checkpoint
        while self._look < look:
            found = next(self._looks, None)
            if found is None:
                break
            self._look, (self._found,) = self._look + 1, found.values()
        if self._found is None:
            return None
        return np.asarray(self._found.neuron_abs).ravel(), self._found.half_width


def order(
    cached: CachedCanvas, layer: Layer, time: int, look: int | None, checkpoint: Report
) -> tuple[Floats, float]:
    """Totals to sort neurons by, and half the width of their 95 % intervals as a part of them; 0 where exact.

    Estimates where the exact totals would take long. Those of a look are always the same, since the sample has a seed:
    the first, number 0, comes after a few passes, each further one is better, until they are as good as `ACCURACY`.
    Without a number they are as good as can be had in a few seconds.
    """
    if not _is_estimated(cached, layer):
        return totals(cached, layer, time, checkpoint), 0.0
    if look is None:
        start, look = monotonic(), 0
        while (found := _look(cached, layer, time, look, checkpoint))[1] > ACCURACY:
            if monotonic() - start > PATIENCE:
                break
            look += 1
        return found
    return _look(cached, layer, time, look, checkpoint)


def _is_estimated(cached: CachedCanvas, layer: Layer) -> bool:
    """Whether exact totals would take long, and can be estimated."""
    canvas = cached.canvas
    is_long = layer.n_kernels * math.prod(cached.size) > LARGE
    return is_long and canvas.has_model and canvas.rule == "gated"


def _look(
    cached: CachedCanvas, layer: Layer, time: int, look: int, checkpoint: Report
) -> tuple[Floats, float]:
    key = cached.key("estimated totals", layer.name, time)

    def compute() -> tuple[Floats, float]:
        going = cached.estimating.pop(key, None)
        found = None if going is None else going.at(look, checkpoint)
        if found is None:
            going = Estimating(cached, layer, time)
            found = going.at(look, checkpoint)
        assert found is not None  # there is a first look
        # One at a time, since it holds a sample; and none that was cancelled, which can't go on.
        cached.estimating.clear()
        cached.estimating[key] = going
        check_finite(f"the totals of layer {layer.name!r}, frame {time}", found[0])
        return found

    return cached.cache.remember((*key, look), compute)


def changes(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> tuple[Floats, float]:
    """How much each neuron's magnitudes differ from the previous frame's (the next one's at frame 0).

    And half the width of their 95 % intervals, as `order`: estimated where exact changes would take long.
    """
    if _is_estimated(cached, layer) and cached.channel == "sum" and cached.n_frames > 1:
        key = cached.key("estimated changes", layer.name, time)
        return cached.cache.remember(key, lambda: _sampled_changes(cached, layer, time, checkpoint))

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

    return cached.cache.remember(cached.key("changes", layer.name, time), compute), 0.0


def _sampled_changes(
    cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report
) -> tuple[Floats, float]:
    """From lattices of pixels in a random order, until they are good enough or took a few seconds."""
    columns = cached.canvas.columns(layer.name, (time, time - 1 if time > 0 else 1))
    sums, squares = np.zeros(columns.n_neurons), np.zeros(columns.n_neurons)
    start, pixels, half_width = monotonic(), 0, math.inf
    for number in range(len(columns)):
        checkpoint(number, 0)
        drawn = columns.lattice(number)
        for _, (now, then) in columns.at(drawn):
            change = (now - then).abs().double()
            sums += change.sum(0).cpu().numpy()
            squares += change.square().sum(0).cpu().numpy()
        pixels += len(drawn)
        mean = sums / pixels
        error = np.sqrt(np.maximum(squares / pixels - np.square(mean), 0) / max(pixels - 1, 1))
        changed = mean > 0
        if pixels > 1 and changed.any():
            part = float(1 - (number + 1) / len(columns)) ** 0.5
            half_width = float(NORMAL * part * np.median(error[changed] / mean[changed]))
        if half_width <= ACCURACY or (pixels >= ENOUGH_PIXELS and monotonic() - start > PATIENCE):
            break
    found = (sums / pixels * math.prod(cached.size)).astype(np.float32)
    check_finite(f"the changes of layer {layer.name!r}, frame {time}", found)
    # Nothing changed at the pixels that were drawn: that is exact only if all were.
    if math.isinf(half_width):
        half_width = 0.0 if pixels == math.prod(cached.size) else 1.0
    return found, half_width


def heat_map(cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report) -> Floats:
    """A heat map about a whole layer: `neurons`, `intensity` (which has a sign) or `change`."""

    def compute() -> Floats:
        if overlay == "neurons":
            spread = distribution(cached.canvas, layer.name, time, (0.1,), accuracy=None, progress=checkpoint)
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
