"""The selection's contribution map, a finding about its whole layer, or a derivative of the picture."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from canvaswidget.kernel import findings, neuron_maps, selection_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    RunKey,
    Selection,
)
from canvaswidget.kernel.quantise import absolute_sum, quantise
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
    checked_selection,
    in_channel,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class MapRequest(TypedDict):
    kind: Literal["map"]
    run: RunKey
    rule: str
    time: int
    selection: Selection


class MapReply(TypedDict):
    """Buffer: `height * width` levels; value = low + level / 255 * (high - low). `total` sums absolute values.

    The map of more than one neuron sums magnitudes; after it in the buffer comes the sum with signs, whose range is
    `signed_range`. For one neuron, and within a band, the map has its sign already, and that is empty. `by` is how a
    derivative was computed.
    """

    kind: Literal["map"]
    time: int
    selection: Selection
    height: int
    width: int
    low: float
    high: float
    total: float
    signed_range: list[float]
    by: str


def _priority(body: MapRequest) -> int:
    return 2 if body["selection"]["neuron"] is not None else 5


@answers(priority=_priority)
def contribution_map(cached: CachedCanvas, body: MapRequest, checkpoint: Report) -> tuple[MapReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    given = body["selection"].get("overlay", "selection")
    overlay = view_checks.checked_choice("overlay", given, view_checks.CHOICES["overlay"])
    given_band = body["selection"].get("band")
    band = None if given_band is None else view_checks.checked_band(given_band)
    cached = in_channel(cached, body["selection"], chosen.layer)

    def compute() -> tuple[Any, ...]:
        if band is not None:
            values = findings.within_band(cached, chosen, overlay, band, time, checkpoint)
            levels, low, high = quantise(values)
            return levels.tobytes(), low, high, absolute_sum(values), (), ""
        if overlay != "selection":
            values, by = findings.finding(cached, chosen.layer, overlay, time, checkpoint)
            levels, low, high = quantise(values)
            return levels.tobytes(), low, high, absolute_sum(values), (), by
        if chosen.neuron is not None:
            place = chosen.layer.flat_index([chosen.neuron])
            maps, sizes = neuron_maps.signed_and_sizes(cached, chosen.layer, place, time)
            levels, low, high = quantise(maps[0])
            return levels.tobytes(), low, high, absolute_sum(sizes[0]), (), ""
        absolute, signed = selection_maps.sums(cached, chosen, time, checkpoint)
        (levels, low, high), (others, *span) = quantise(absolute), quantise(signed)
        return levels.tobytes() + others.tobytes(), low, high, absolute_sum(absolute), tuple(span), ""

    key = cached.key("map", overlay, band, chosen.layer.name, *chosen[1:], time)
    data, low, high, total, span, by = cached.cache.remember(key, compute)
    reply: MapReply = {
        "kind": "map",
        "time": time,
        "selection": body["selection"],
        "height": cached.size[0],
        "width": cached.size[1],
        "low": low,
        "high": high,
        "total": total,
        "signed_range": list(span),
        "by": by,
    }
    return reply, data
