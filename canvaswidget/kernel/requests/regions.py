"""How much of the selection's contribution lies in each of some regions."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import selection_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    Region,
    RunKey,
    Sampled,
    Selection,
)
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.region_list import MAX_REGIONS, part_of
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
    checked_selection,
    in_channel,
)
from canvaswidget.kernel.requests.map import sampled_on_wire
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class RegionsRequest(TypedDict):
    """What part of the selection's contribution lies in each of some regions."""

    kind: Literal["regions"]
    run: RunKey
    rule: str
    time: int
    selection: Selection
    regions: list[Region]


class RegionsReply(TypedDict):
    """Of each region its share of the magnitudes and its part of the frame; `deltas` is how far one exceeds the other.

    It is 0 where they are equal, 1 where the share is twice the area's, -1 where nothing is contributed. `sampled` is
    what an estimated map is from that they are measured on; null for an exact one.
    """

    kind: Literal["regions"]
    time: int
    selection: Selection
    shares: list[float]
    areas: list[float]
    deltas: list[float]
    sampled: Sampled | None


def _priority(body: RegionsRequest) -> int:
    return 4 if body["selection"]["neuron"] is not None else 5


@answers(priority=_priority)
def regions(cached: CachedCanvas, body: RegionsRequest, checkpoint: Report) -> tuple[RegionsReply, bytes]:
    time, chosen = checked_frame(cached, body["time"]), checked_selection(cached, body["selection"])
    view_checks.checked_count("the number of regions", len(body["regions"]), 0, MAX_REGIONS)
    regions = [checked_region(region, cached.size) for region in body["regions"]]
    cached = in_channel(cached, body["selection"], chosen.layer)
    magnitude = selection_maps.magnitude(cached, chosen, time, checkpoint)
    estimate = selection_maps.sampled(cached, chosen, time, checkpoint)
    parts = [part_of(magnitude, region.mask) for region in regions if region is not None]
    reply: RegionsReply = {
        "kind": "regions",
        "time": time,
        "selection": body["selection"],
        "shares": [part.share for part in parts],
        "areas": [part.area for part in parts],
        "deltas": [part.delta for part in parts],
        "sampled": sampled_on_wire(estimate),
    }
    return reply, b""
