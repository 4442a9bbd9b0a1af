"""Which neuron of another run is which of this one, and how alike their maps are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.correlation import row_correlations
from canvaswidget.analysis.matching import match
from canvaswidget.analysis.vectors import Vectors, vectors
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer


class Counterparts(NamedTuple):
    """Of each neuron of a layer the flat index of its counterpart, -1 without one; and the correlation of both."""

    places: npt.NDArray[np.int32]
    correlations: npt.NDArray[np.float32]


def counterpart_layer(name: str, layers: Sequence[Layer], others: Sequence[Layer]) -> Layer:
    """The layer of that name among others, or else the one at the same distance from the output."""
    for layer in others:
        if layer.name == name:
            return layer
    names = [layer.name for layer in layers]
    place = len(names) - 1 - names.index(name) if name in names else 1
    return others[max(0, len(others) - 1 - place)]


def pairs_of(cached: CachedCanvas, run: RunKey, layer: Layer, time: int, checkpoint: Report) -> Counterparts:
    """The counterparts in another run: the same neurons of one network with other weights, else those that match."""
    other = cached.of_run(run)
    find = same_indices if cached.same_neurons or other is cached else matched
    # The name of the other run's cache is another one once its weights are.
    key = (cached.canvas.rule, "pairs", other.cache.name, layer.name, time)
    return Counterparts(
        *cached.cache.remember(key, lambda: tuple(find(cached, other, layer, time, checkpoint)))
    )


def same_indices(
    cached: CachedCanvas, other: CachedCanvas, layer: Layer, time: int, checkpoint: Report
) -> Counterparts:
    """Each neuron beside the one of its number; the correlation is NaN where one of the maps is the same everywhere."""
    one = _vectors(cached, layer, time, checkpoint)
    two = _vectors(other, other.layers.find(layer.name), time, checkpoint)
    correlations = row_correlations(one.values, two.values).astype(np.float32)
    correlations[~(one.alive & two.alive)] = np.nan
    return Counterparts(np.arange(len(correlations), dtype=np.int32), correlations)


def matched(
    cached: CachedCanvas, other: CachedCanvas, layer: Layer, time: int, checkpoint: Report
) -> Counterparts:
    """The optimal assignment of `canvaswidget.analysis.match`, between the strongest neurons of both layers."""
    other_layer = counterpart_layer(layer.name, cached.layers, other.layers)
    one = _vectors(cached, layer, time, checkpoint)
    found = match(one, _vectors(other, other_layer, time, checkpoint))
    count = math.prod(layer.neurons)
    places, correlations = np.full(count, -1, np.int32), np.full(count, np.nan, np.float32)
    if found.pairs:
        ours, theirs = zip(*found.pairs, strict=True)
        at = layer.flat_index(ours)
        places[at] = other_layer.flat_index(theirs)
        correlations[at] = found.likeness
    return Counterparts(places, correlations)


def _vectors(cached: CachedCanvas, layer: Layer, time: int, checkpoint: Report) -> Vectors:
    """The last ones are kept: the next run is compared with the same."""
    key = (layer.name, time)
    if key not in cached.last_vectors:
        found = vectors(cached.canvas, layer.name, frame=time, progress=checkpoint)
        cached.last_vectors.clear()
        cached.last_vectors[key] = found
    return cached.last_vectors[key]
