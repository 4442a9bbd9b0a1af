"""One selection under every rule: its maps, and how those of the others differ from what ablation shows."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import message_parts, signed_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.quantise import Floats, quantise
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.kernel.signed_maps import Signed
from canvaswidget.progress import Report
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.rules import RULES


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
    chosen = signed_maps.by_members(cached, chosen, time, checkpoint)
    found = {rule: _map_or_why(cached, rule, chosen, time, checkpoint) for rule in RULES}
    told: list[RuleMap] = []
    data: list[bytes] = []
    for rule, one in found.items():
        truth = None if rule == signed_maps.TRUTH else found[signed_maps.TRUTH]
        if isinstance(one, UntraceableError):
            told.append(_undefined(rule, str(one)))
            continue
        levels, plane = _plane(one.values)
        data.append(levels)
        difference = correlation = None
        if truth is not None and not isinstance(truth, UntraceableError):
            levels, difference = _plane(one.values - truth.values)
            data.append(levels)
            correlation = signed_maps.correlation(one.values, truth.values)
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


def _map_or_why(
    cached: CachedCanvas, rule: str, chosen: Chosen, time: int, checkpoint: Report
) -> Signed | UntraceableError:
    try:
        return signed_maps.signed_map(cached, rule, chosen, time, checkpoint)
    except UntraceableError as error:
        return error


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
