"""One selection under every rule: its maps, and how those of the others differ from what ablation shows."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from canvaswidget.analysis.correlation import row_correlations
from canvaswidget.kernel import ablation, message_parts, neuron_maps, selection_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.quantise import Floats, absolute_sum, quantise
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.progress import Report
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.rules import RULES

TRUTH = "ablation"


class RulesRequest(TypedDict):
    """The selection's map under every rule; a cluster is one of the clusters of `rule`."""

    kind: Literal["rules"]
    run: RunKey
    rule: str
    time: int
    selection: message_parts.Chosen


class Plane(TypedDict):
    """Levels in a buffer: value = low + level / 255 * (high - low)."""

    low: float
    high: float


class RuleMap(TypedDict):
    """A map under one rule, and what it has more than that under ablation; where there is none, `why` says so.

    `total` is that of one neuron as everywhere, its magnitudes in `each_colour` added where the rule knows colours; of
    several the magnitudes of the map, in which neurons and colours are added. `correlation` is that of the two maps
    over the pixels, null where one of them is the same everywhere.
    """

    rule: str
    why: str
    total: float
    each_colour: bool
    map: Plane | None
    difference: Plane | None
    correlation: float | None


class RulesReply(TypedDict):
    """Buffer: `height * width` levels of each map that there is, and after it those of its difference."""

    kind: Literal["rules"]
    time: int
    selection: message_parts.Chosen
    height: int
    width: int
    maps: list[RuleMap]


class Signed(NamedTuple):
    """A map, the colours added; its total and whether that adds the magnitudes of each colour (see `RuleMap`)."""

    values: Floats
    total: float
    each_colour: bool


@answers(priority=5)
def rules(cached: CachedCanvas, body: RulesRequest, checkpoint: Report) -> tuple[RulesReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    key = (cached.canvas.rule, "side by side", chosen.layer.name, *chosen[1:], time)
    maps, data = cached.cache.remember(key, lambda: _compare(cached, chosen, time, checkpoint))
    reply: RulesReply = {
        "kind": "rules",
        "time": time,
        "selection": body["selection"],
        "height": cached.size[0],
        "width": cached.size[1],
        "maps": maps,
    }
    return reply, data


def _compare(
    cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report
) -> tuple[list[RuleMap], bytes]:
    """What is told of each rule; then the levels of the maps, and of their differences from ablation, by turns."""
    chosen = _settled(cached, chosen, time, checkpoint)
    found = {rule: _map(cached, rule, chosen, time, checkpoint) for rule in RULES}
    told: list[RuleMap] = []
    data: list[bytes] = []
    for rule, one in found.items():
        truth = None if rule == TRUTH else found[TRUTH]
        if isinstance(one, UntraceableError):
            told.append(_undefined(rule, str(one)))
            continue
        levels, plane = _plane(one.values)
        data.append(levels)
        difference = correlation = None
        if truth is not None and not isinstance(truth, UntraceableError):
            levels, difference = _plane(one.values - truth.values)
            data.append(levels)
            correlation = _correlation(one.values, truth.values)
        told.append(
            {
                "rule": rule,
                "why": "",
                "total": one.total,
                "each_colour": one.each_colour,
                "map": plane,
                "difference": difference,
                "correlation": correlation,
            }
        )
    return told, b"".join(data)


def _settled(cached: CachedCanvas, chosen: Chosen, time: int, checkpoint: Report) -> Chosen:
    """A cluster by its members: under another rule there are other clusters."""
    if chosen.cluster < 0:
        return chosen
    layer = chosen.layer
    places = selection_maps.members(cached, chosen, time, checkpoint)
    return Chosen(layer, None, -1, 1, tuple(_neurons(chosen, places)))


def _map(
    cached: CachedCanvas, rule: str, chosen: Chosen, time: int, checkpoint: Report
) -> Signed | UntraceableError:
    """Of several neurons ablation has what is lost without all of them at once."""
    checkpoint(0, 0)
    layer = chosen.layer
    try:
        other = cached.under(rule)
        if chosen.neuron is not None:
            place = layer.flat_index([chosen.neuron])
            maps, sizes = neuron_maps.signed_and_sizes(other, layer, place, time)
            return Signed(maps[0], absolute_sum(sizes[0]), other.adds_each_colour(layer))
        if rule == TRUTH:
            some = chosen.neurons or _neurons(chosen, np.arange(np.prod(layer.neurons)))
            values = ablation.difference(cached, {layer.name: dict.fromkeys(some, 0.0)}, time)
        else:
            values = selection_maps.sums(other, chosen, time, checkpoint)[1]
        return Signed(values, absolute_sum(values), False)
    except UntraceableError as error:
        return error


def _neurons(chosen: Chosen, places: np.ndarray) -> list[Neuron]:
    return [chosen.layer.neuron_at(place) for place in places]


def _plane(values: Floats) -> tuple[bytes, Plane]:
    levels, low, high = quantise(values)
    return levels.tobytes(), {"low": low, "high": high}


def _undefined(rule: str, why: str) -> RuleMap:
    return {
        "rule": rule,
        "why": why,
        "total": 0.0,
        "each_colour": False,
        "map": None,
        "difference": None,
        "correlation": None,
    }


def _correlation(values: Floats, truth: Floats) -> float | None:
    """Pearson's, over the pixels; None where one of the two is the same everywhere."""
    found = float(row_correlations(values.reshape(1, -1), truth.reshape(1, -1))[0])
    return None if math.isnan(found) else found
