"""A selection's map under a rule, the colours added, and how it differs from the one under ablation."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from canvaswidget.analysis.correlation import row_correlations
from canvaswidget.kernel import neuron_maps, pictures, selection_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats, absolute_sum, check_finite
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.progress import Report

TRUTH = "ablation"


class Signed(NamedTuple):
    """A map, the colours added; its total and whether that adds the magnitudes of each colour."""

    values: Floats
    total: float
    each_colour: bool


def by_members(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Chosen:
    """A cluster by its members: under another rule there are other clusters.

    Raises
    ------
    ValueError
        The cluster has no members.
    """
    if chosen.cluster < 0:
        return chosen
    layer = chosen.layer
    places = selection_maps.members(cached, chosen, time, checkpoint)
    if not len(places):  # no neurons named would be the whole layer
        raise ValueError(f"selection: cluster {chosen.cluster} of layer {layer.name!r} has no neurons")
    return Chosen(layer, None, -1, 1, tuple(_neurons(chosen, places)))


def signed_map(cached: CachedCanvas, rule: str, chosen: Chosen, time: int, checkpoint: Report) -> Signed:
    """Of several neurons ablation has what is lost without all of them at once.

    Raises
    ------
    UntraceableError
        The rule is not defined on the layer.
    """
    checkpoint(0, 0)
    layer, other = chosen.layer, cached.under(rule)
    if chosen.neuron is not None:
        place = layer.flat_index([chosen.neuron])
        maps, sizes = neuron_maps.signed_and_sizes(other, layer, place, time)
        return Signed(maps[0], absolute_sum(sizes[0]), other.adds_each_colour(layer))
    if rule == TRUTH:
        some = chosen.neurons or _neurons(chosen, np.arange(np.prod(layer.neurons)))
        fill = other.canvas.options.get("fill", "zero")
        left = other.canvas.ablate({layer.name: some}, time, fill=fill)
        check_finite(f"frame {time} without {len(some):,} neurons of layer {layer.name!r}", left)
        values = (pictures.frame(cached, time) - left).sum(2)
    else:
        values = selection_maps.signed_sum(other, chosen, time, checkpoint)
    return Signed(values, absolute_sum(values), False)


def _neurons(chosen: Chosen, places: np.ndarray) -> list[Neuron]:
    return [chosen.layer.neuron_at(place) for place in places]


def correlation(values: Floats, truth: Floats) -> float | None:
    """Pearson's, over the pixels; None where one of the two is the same everywhere."""
    found = float(row_correlations(values.reshape(1, -1), truth.reshape(1, -1))[0])
    return None if math.isnan(found) else found
