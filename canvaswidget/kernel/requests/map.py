"""The selection's contribution map, a finding about its whole layer, or a derivative of the picture."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from canvaswidget.kernel import findings, neuron_maps, selection_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    RunKey,
    Sampled,
    Selection,
)
from canvaswidget.kernel.quantise import absolute_sum, quantise
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
    checked_look,
    checked_selection,
    in_channel,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.sampled_maps import SampledMap
from canvaswidget.progress import Report


class PlainMapRequest(TypedDict):
    kind: Literal["map"]
    run: RunKey
    rule: str
    time: int
    selection: Selection


class MapRequest(PlainMapRequest, total=False):
    """`look` is which estimate is wanted, where the map sums so many neurons that all their maps would take long.

    0 is the first, which comes soon. Without it the map is as good as can be had in a few seconds.
    """

    look: int


class MapReply(TypedDict):
    """Buffer: `height * width` levels; value = low + level / 255 * (high - low). `total` sums absolute values.

    The map of more than one neuron sums magnitudes; after it in the buffer comes the sum with signs, whose range is
    `signed_range`. For one neuron, and within a band, the map has its sign already, and that is empty. `by` is how a
    derivative was computed. `sampled` is what an estimate is from, null for an exact map; a sum with signs is exact.
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
    sampled: Sampled | None


def _priority(body: MapRequest) -> int:
    if body.get("look"):  # a refinement, requested in the background
        return 9
    return 2 if body["selection"]["neuron"] is not None else 5


@answers(priority=_priority)
def map_(cached: CachedCanvas, body: MapRequest, checkpoint: Report) -> tuple[MapReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    given = body["selection"].get("overlay", "selection")
    overlay = view_checks.checked_choice("overlay", given, view_checks.CHOICES["overlay"])
    given_band = body["selection"].get("band")
    band = None if given_band is None else view_checks.checked_band(given_band)
    cached = in_channel(cached, body["selection"], chosen.layer)
    look = checked_look(body)

    def compute() -> tuple[Any, ...]:
        if band is not None:
            values = findings.within_band(cached, chosen, overlay, band, time, checkpoint)
            levels, low, high = quantise(values)
            return levels.tobytes(), low, high, absolute_sum(values), (), "", None
        if overlay != "selection":
            values, by, estimate = findings.finding(cached, chosen.layer, overlay, time, checkpoint, look)
            levels, low, high = quantise(values)
            return levels.tobytes(), low, high, absolute_sum(values), (), by, sampled_on_wire(estimate)
        if chosen.neuron is not None:
            place = chosen.layer.flat_index([chosen.neuron])
            maps, sizes = neuron_maps.signed_and_sizes(cached, chosen.layer, place, time)
            levels, low, high = quantise(maps[0])
            return levels.tobytes(), low, high, absolute_sum(sizes[0]), (), "", None
        estimate = selection_maps.sampled(cached, chosen, time, checkpoint, look)
        absolute, signed = selection_maps.sums(cached, chosen, time, checkpoint, look)
        (levels, low, high), (others, *span) = quantise(absolute), quantise(signed)
        total = absolute_sum(absolute) if estimate is None else estimate.total()[0]
        return (
            levels.tobytes() + others.tobytes(),
            low,
            high,
            total,
            tuple(span),
            "",
            sampled_on_wire(estimate),
        )

    key = cached.key("map", overlay, band, chosen.layer.name, *chosen[1:], time, look)
    data, low, high, total, span, by, sampled = cached.cache.remember(key, compute)
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
        "sampled": sampled,
    }
    return reply, data


def sampled_on_wire(estimate: SampledMap | None) -> Sampled | None:
    """What an estimate is from, as messages have it; None for what is exact."""
    if estimate is None:
        return None
    return {
        "pixels": estimate.n_pixels,
        "passes": estimate.passes,
        "error": estimate.error,
        "has_more": estimate.has_more,
    }
