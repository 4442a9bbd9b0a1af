"""Contribution maps of single neurons, at full size and as thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.quantise import Bytes, Floats, absolute_sum, check_finite, fitted, quantise, shrink
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer

BLOCK_BYTES = 2 * 2**20  # of maps at a time, so that something more urgent waits for milliseconds only


class Thumbnail(NamedTuple):
    """A small signed map: its quantised values with their range.

    `total` is the sum of the magnitudes at the full size, those of each colour added where the rule knows colours.
    """

    levels: Bytes
    low: float
    high: float
    total: float

    @property
    def reach(self) -> float:
        """Its largest magnitude."""
        return max(abs(self.low), abs(self.high))


def maps(cached: CachedCanvas, layer: Layer, neurons: Indices, time: int) -> Floats:
    """Signed maps of neurons given by their flat indices."""
    return _maps(cached, layer, neurons, time, cached.channel)


def signed_and_sizes(
    cached: CachedCanvas, layer: Layer, neurons: Indices, time: int
) -> tuple[Floats, Floats]:
    """Signed maps of neurons, the colours added, and their magnitudes."""
    return split_colours(coloured(cached, layer, neurons, time))


def coloured(cached: CachedCanvas, layer: Layer, neurons: Indices, time: int) -> Floats:
    """Signed maps ``(k, h, w, channels)``, or ``(k, h, w)`` where one colour is shown or the rule knows none."""
    return _maps(cached, layer, neurons, time, cached.rgb_of(cached.canvas, layer))


def split_colours(values: Any) -> tuple[Any, Any]:
    """Maps, the colours added, and their magnitudes; the last axis of four is that of the colours."""
    if values.ndim == 4:
        return values.sum(-1), abs(values).sum(-1)
    return values, abs(values)


def thumbnails(
    cached: CachedCanvas, layer: Layer, neurons: Indices, side: int, time: int, checkpoint: Report
) -> list[Thumbnail]:
    """Small signed maps, their longest side `side`."""
    size = fitted(cached.size, side)
    keys = [cached.key("thumbnail", layer.name, time, size, int(neuron)) for neuron in neurons]
    found = [cached.cache.get(key) for key in keys]
    missing = np.flatnonzero([thumbnail is None for thumbnail in found])
    for first, block in blocks(cached, missing):
        checkpoint(first, len(missing))
        maps, sizes = signed_and_sizes(cached, layer, neurons[block], time)
        for place, whole, values in zip(block, sizes, shrink(maps, size), strict=True):
            thumbnail = Thumbnail(*quantise(values), absolute_sum(whole))
            found[place] = cached.cache.put(keys[place], thumbnail)
    return found


def blocks(cached: CachedCanvas, indices: Indices) -> Iterator[tuple[int, Indices]]:
    """``(how many are done, the next few)``, as many as have maps of `BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // (4 * cached.size[0] * cached.size[1]))
    for first in range(0, len(indices), step):
        yield first, indices[first : first + step]


def _maps(cached: CachedCanvas, layer: Layer, neurons: Indices, time: int, rgb: str) -> Floats:
    places = layer.neurons_at(neurons)
    maps = np.asarray(cached.canvas.maps(layer.name, places, frame=time, rgb=rgb), np.float32)
    if not np.isfinite(maps).all():
        first = int(np.flatnonzero(~np.isfinite(maps).reshape(len(maps), -1).all(1))[0])
        lost = maps[first] if maps.ndim == 3 else maps[first].sum(-1)
        neuron = tuple(int(part) for part in np.atleast_1d(places[first]))
        name = neuron[0] if len(neuron) == 1 else neuron
        check_finite(f"the map of layer {layer.name!r}, neuron {name}, frame {time}", lost)
    return maps
