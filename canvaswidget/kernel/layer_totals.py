"""What every neuron of a layer contributes to a frame, and how that changes; heat maps about the whole layer."""

from __future__ import annotations

from time import monotonic
from typing import Any, Protocol

import numpy as np

from canvaswidget.analysis.distribution import distribution
from canvaswidget.analysis.intensity import compare
from canvaswidget.analysis.motion import changes as changes_of_frames
from canvaswidget.analysis.sampled import feed
from canvaswidget.analysis.sampled_changes import Changes
from canvaswidget.kernel import neuron_maps, pictures, sampled_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.kernel.sampled_maps import SampledMap
from canvaswidget.progress import Report
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.layers import Layer

LEFT_OUT = 0.1  # of all contributions of a layer, by the neurons that the overlay `neurons` does not count
MOST_LOOKS = 32  # each has half as many passes more than the one before, or twice as many


def summary(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Any:
    """Totals of a layer; the canvas stores them."""
    rgb = sampled_maps.rgb_of(cached)  # by default colours are added by magnitude
    return cached.canvas.summary(layer.name, frame=time, rgb=rgb, progress=checkpoint)


def totals(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Floats:
    """The sum of each neuron's magnitudes, in C order."""
    return _of(summary(cached, layer, time, checkpoint), layer, time)


def _of(found: Any, layer: Layer, time: int) -> Floats:
    totals = np.asarray(found.neuron_abs).ravel()
    check_finite(f"the totals of layer {layer.name!r}, frame {time}", totals)
    return totals


class Looks(Protocol):
    """Estimates of a number of every neuron that get better from look to look."""

    def __init__(self, cached: CachedCanvas, layer: Layer, time: int) -> None: ...
    def at(self, look: int, checkpoint: Report) -> tuple[Floats, float] | None:
        """What look number `look` shows, the last one if there are fewer; None where it has gone by."""
        ...


class Estimating:
    """Estimates of a layer's totals that get better from look to look, on the way."""

    def __init__(self, cached: CachedCanvas, layer: Layer, time: int) -> None:
        self.report: Report = lambda done, planned: None
        self._look, self._found = -1, None
        self._looks: Any = cached.canvas.improving_summaries(
            layer.name,
            time,
            ACCURACY,
            rgb=sampled_maps.rgb_of(cached),
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


class Changing:
    """Estimates of how much each neuron's magnitudes differ from the frame before, from lattices of pixels."""

    def __init__(self, cached: CachedCanvas, layer: Layer, time: int) -> None:
        frames = sampled_maps.other_frame(time), time
        self._columns = cached.canvas.columns(layer.name, frames, rgb=sampled_maps.rgb_of(cached))
        self._found = Changes(self._columns)
        self._look, self._drawn = -1, 0

    def at(self, look: int, checkpoint: Report) -> tuple[Floats, float] | None:
        """What look number `look` shows; None where it has gone by."""
        if look < self._look:
            return None
        upto = sampled_maps.n_lattices(self._columns, look)
        for number in range(self._drawn, upto):
            checkpoint(number - self._drawn, upto - self._drawn)
            feed(self._columns, self._columns.lattice(number), [self._found])
            self._drawn = number + 1
        self._look = look
        found = self._found.changes.totals()[0][0].astype(np.float32)
        if self._drawn == len(self._columns):
            return found, 0.0
        # Nothing changed at the pixels that were drawn: that is exact only if all were.
        return found, self._found.half_width() if found.any() else 1.0


def order(
    cached: CachedCanvas, layer: Layer, time: int, look: int | None, checkpoint: Report
) -> tuple[Floats, float]:
    """Totals to sort neurons by, and half the width of their 95 % intervals as a part of them; 0 where exact.

    Estimates where the exact totals would take long. Those of a look are always the same, since the sample has a seed:
    the first, number 0, comes after a few passes, each further one is better, until they are as good as `ACCURACY`.
    Without a number they are as good as can be had in a few seconds.
    """
    if not sampled_maps.is_long(cached, layer):
        found = summary(cached, layer, time, checkpoint)
        return _of(found, layer, time), found.half_width  # those of a saved canvas may be estimated
    return _refined(cached, Estimating, layer, time, look, checkpoint)


def _refined(
    cached: CachedCanvas, kind: type[Looks], layer: Layer, time: int, look: int | None, checkpoint: Report
) -> tuple[Floats, float]:
    if look is not None:
        return _look(cached, kind, layer, time, look, checkpoint)
    start, look = monotonic(), 0
    while (found := _look(cached, kind, layer, time, look, checkpoint))[1] > ACCURACY:
        if monotonic() - start > sampled_maps.PATIENCE or look == MOST_LOOKS:
            break
        look += 1
    return found


def _look(
    cached: CachedCanvas, kind: type[Looks], layer: Layer, time: int, look: int, checkpoint: Report
) -> tuple[Floats, float]:
    key = cached.key(kind.__name__, layer.name, time)

    def compute() -> tuple[Floats, float]:
        going = cached.estimating.pop(key, None)
        found = None if going is None else going.at(look, checkpoint)
        if found is None:
            going = kind(cached, layer, time)
            found = going.at(look, checkpoint)
        assert found is not None  # there is a first look
        # One at a time, since it holds a sample; and none that was cancelled, which can't go on.
        cached.estimating.clear()
        cached.estimating[key] = going
        check_finite(f"what neurons of layer {layer.name!r} are sorted by, frame {time}", found[0])
        return found

    return cached.cache.remember((*key, look), compute)


def changes(
    cached: CachedCanvas, layer: Layer, time: int, look: int | None, checkpoint: Report
) -> tuple[Floats, float]:
    """How much each neuron's magnitudes differ from the previous frame's (the next one's at frame 0).

    And half the width of their 95 % intervals, as `order`: estimated where exact changes would take long.
    """
    if sampled_maps.is_long(cached, layer) and cached.n_frames > 1:
        return _refined(cached, Changing, layer, time, look, checkpoint)

    def compute() -> Floats:
        other = min(sampled_maps.other_frame(time), cached.n_frames - 1)
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


def heat_map(
    cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report, look: int | None = None
) -> tuple[Floats, SampledMap | None]:
    """A heat map about a whole layer: `neurons`, `intensity` (which has a sign) or `change`.

    Where all maps of the layer would take long it is estimated from some pixels; the second value says from which. It
    is None where the map is exact.
    """
    cached = cached.of_channel("sum")  # findings are of the colours added, whichever is shown
    if overlay == "change" and cached.n_frames < 2:
        raise ValueError("overlay='change': this INR has one frame, so nothing changes")
    if not sampled_maps.is_long(cached, layer):
        key = cached.canvas.rule, overlay, layer.name, time
        return cached.cache.remember(key, lambda: _exact(cached, layer, overlay, time, checkpoint)), None
    if overlay == "neurons":
        found = sampled_maps.neurons_over(cached, layer, time, LEFT_OUT, look, checkpoint)
    elif overlay == "change":
        found = sampled_maps.change(cached, layer, time, look, checkpoint)
    else:
        found = sampled_maps.magnitudes(cached, layer, None, time, look, checkpoint)
        return compare(layer, time, found.filled, pictures.frame(cached, time)).difference, found
    return found.filled, found


def _exact(cached: CachedCanvas, layer: Layer, overlay: str, time: int, checkpoint: Report) -> Floats:
    if overlay == "neurons":
        spread = distribution(
            cached.canvas, layer.name, time, (LEFT_OUT,), accuracy=None, progress=checkpoint
        )
        return spread.neurons_per_pixel[0].astype(np.float32)
    if overlay == "intensity":
        total = np.asarray(summary(cached, layer, time, checkpoint).pixel_abs)
        check_finite(f"the totals of layer {layer.name!r}, frame {time}", total)
        return compare(layer, time, total, pictures.frame(cached, time)).difference
    frames = [sampled_maps.other_frame(time), time]
    change, _ = changes_of_frames(cached.canvas, layer, frames, None, checkpoint)
    check_finite(f"the change of layer {layer.name!r}, frame {time}", change)
    return change[0]
