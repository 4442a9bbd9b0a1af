"""The map of a selection, which may be several neurons, a cluster or a whole layer; its total and how that changes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from canvaswidget.kernel import layer_totals, neuron_maps, sampled_maps, similarity
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.quantise import Floats, absolute_sum, check_finite
from canvaswidget.kernel.sampled_maps import SampledMap
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import COLOURS

CURVE_PASSES = 96  # that the total of one frame may take


class Chosen(NamedTuple):
    """Neurons of a layer: several, else one, else one cluster, else all."""

    layer: Layer
    neuron: Neuron | None
    cluster: int
    n_clusters: int
    neurons: tuple[Neuron, ...] = ()

    @property
    def is_whole_layer(self) -> bool:
        """Whether all neurons are meant."""
        return self.neuron is None and not self.neurons and self.cluster < 0


def members(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Indices:
    """Several neurons, or those of a cluster, by their flat indices."""
    if chosen.neurons:
        return chosen.layer.flat_index(chosen.neurons)
    labels = similarity.clusters(cached, chosen.layer, chosen.n_clusters, time, checkpoint).labels.ravel()
    return np.flatnonzero(labels == chosen.cluster)


def selection_map(
    cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report, signed: bool = False
) -> Floats:
    """Signed for one neuron; for several, a cluster or a whole layer the sum of absolute maps, or of `signed` ones."""
    layer = chosen.layer
    if chosen.neuron is not None:
        return neuron_maps.maps(cached, layer, layer.flat_index([chosen.neuron]), time)[0]
    if signed:
        return signed_sum(cached, chosen, time, checkpoint)
    return sums(cached, chosen, time, checkpoint)[0]


def sampled(
    cached: CachedCanvas,
    chosen: Chosen,
    time: int,
    checkpoint: Report,
    look: int | None = None,
    most: float | None = None,
) -> SampledMap | None:
    """The magnitudes of more than one neuron as they are estimated; None where all their maps are computed."""
    is_long, neurons = _long(cached, chosen, time, checkpoint)
    if not is_long:
        return None
    return sampled_maps.magnitudes(cached, chosen.layer, neurons, time, look, checkpoint, most)


def _long(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> tuple[bool, Indices | None]:
    """Whether all maps of a selection would take long, and which neurons it has then: None for the whole layer."""
    if chosen.neuron is not None or not sampled_maps.is_long(cached, chosen.layer):
        return False, None
    if chosen.is_whole_layer:
        return True, None
    neurons = members(cached, chosen, time, checkpoint)
    return sampled_maps.is_long(cached, chosen.layer, len(neurons)), neurons


def signed_sum(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Floats:
    """The sum with signs of more than one neuron: exact, however many there are."""
    is_long, neurons = _long(cached, chosen, time, checkpoint)
    if not is_long or cached.channel == "abs":
        return sums(cached, chosen, time, checkpoint)[1]
    image = sampled_maps.signed(cached, chosen.layer, neurons, time)
    return image[..., COLOURS.index(cached.channel)] if cached.channel in COLOURS else image.sum(-1)


def sums(
    cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report, look: int | None = None
) -> tuple[Floats, Floats]:
    """``(sum of absolute maps, sum of maps)`` of several neurons, a cluster or a whole layer.

    The first one is estimated where all their maps would take long; see `sampled`.
    """
    estimate = sampled(cached, chosen, time, checkpoint, look)
    if estimate is not None:
        magnitudes = estimate.filled
        # Magnitudes of colours have no sign.
        whole = magnitudes if cached.channel == "abs" else signed_sum(cached, chosen, time, checkpoint)
        return magnitudes, whole
    layer, name = chosen.layer, chosen.layer.name
    key = _sums_key(cached, chosen, time)
    known = cached.cache.get(key)
    if known is not None:
        return known
    absolute, signed = np.zeros(cached.size, np.float64), np.zeros(cached.size, np.float64)
    if not chosen.neurons and chosen.cluster < 0 and not cached.canvas.has_model:
        summary = layer_totals.summary(cached, layer, time, checkpoint)
        # Its sum is that of the colours with their signs, where magnitudes of colours have none.
        absolute, signed = (
            summary.pixel_abs,
            summary.pixel_sum if cached.channel != "abs" else summary.pixel_abs,
        )
    elif chosen.neurons or chosen.cluster >= 0:
        neurons = members(cached, chosen, time, checkpoint)
        for first, block in neuron_maps.blocks(cached, neurons):
            checkpoint(first, len(neurons))
            maps, sizes = neuron_maps.signed_and_sizes(cached, layer, block, time)
            absolute += sizes.sum(0, dtype=np.float64)
            signed += maps.sum(0, dtype=np.float64)
    else:
        rgb = cached.rgb_of(cached.canvas, layer)

        def both(maps: Any) -> tuple[Floats, ...]:
            parts = neuron_maps.split_colours(maps)
            return tuple(part.sum(0).double().cpu().numpy() for part in parts)

        for _, (whole, part) in cached.canvas.reduce(name, both, time, rgb=rgb, progress=checkpoint):
            absolute += part
            signed += whole
    check_finite(f"the sum of the maps of layer {name!r}, frame {time}", absolute)
    return cached.cache.put(key, (absolute.astype(np.float32), signed.astype(np.float32)))


def magnitude(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Floats:
    """The magnitudes of a selection's contributions, added over colours where the rule knows them."""
    layer = chosen.layer
    estimate = sampled(cached, chosen, time, checkpoint)
    if estimate is not None:
        return estimate.filled
    key = cached.key(layer.name, *chosen[1:], time)
    found = cached.last_magnitude.get(key)
    if found is None:
        known = cached.cache.get(_sums_key(cached, chosen, time))
        if known is not None:  # the map on the frame has been a pass over the layer already
            found = known[0]
        elif chosen.is_whole_layer:
            found = np.asarray(layer_totals.summary(cached, layer, time, checkpoint).pixel_abs)
            check_finite(f"the totals of layer {layer.name!r}, frame {time}", found)
        elif chosen.neuron is not None:
            place = layer.flat_index([chosen.neuron])
            found = neuron_maps.signed_and_sizes(cached, layer, place, time)[1][0]
        else:
            found = sums(cached, chosen, time, checkpoint)[0]
        cached.last_magnitude.clear()
        cached.last_magnitude[key] = found
    return found


class Totals(NamedTuple):
    """The sum of a selection's magnitudes over a frame, and how much they differ from the previous frame's.

    Attributes
    ----------
    total : float
    change : float or None
        None at the first frame.
    half_width, change_half_width : float
        Half of the 95% interval of each, as a part of it; 0 where it is exact.
    """

    total: float
    change: float | None = None
    half_width: float = 0.0
    change_half_width: float = 0.0


def total(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Totals:
    """The sum of a selection's magnitudes over the frame."""
    estimate = sampled(cached, chosen, time, checkpoint, most=CURVE_PASSES)
    if estimate is not None:
        found, half_width = estimate.total()
        return Totals(found, half_width=half_width)
    key = cached.key("total", chosen.layer.name, *chosen[1:], time)
    return Totals(
        cached.cache.remember(key, lambda: absolute_sum(magnitude(cached, chosen, time, checkpoint)))
    )


def total_and_change(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Totals:
    """The same, and how much the magnitudes differ from the previous frame's."""
    has_previous = time > 0 and time - 1 in cached.canvas.frames
    estimate = sampled(cached, chosen, time, checkpoint, most=CURVE_PASSES)
    if estimate is not None:
        found, half_width = estimate.total()
        earlier = sampled(cached, chosen, time - 1, checkpoint, most=CURVE_PASSES) if has_previous else None
        if earlier is None:
            return Totals(found, None, half_width)
        # The lattices of all frames come in one order: these pixels are known at both.
        differences = abs(estimate.known - earlier.known)
        change, change_half_width = sampled_maps.sum_over_pixels(differences, estimate.spacing)
        return Totals(found, change, half_width, change_half_width)
    key = cached.key("change", chosen.layer.name, *chosen[1:], time)
    known = cached.cache.get(key)
    if known is None:
        before = magnitude(cached, chosen, time - 1, checkpoint) if has_previous else None
        now = magnitude(cached, chosen, time, checkpoint)
        change = None if before is None else absolute_sum(now - before)
        known = cached.cache.put(key, (absolute_sum(now), change))
    return Totals(*known)


def _sums_key(cached: CachedCanvas, chosen: Chosen, time: int) -> tuple[Any, ...]:
    return cached.key("sums", chosen.layer.name, *chosen[1:], time)
