"""The reply to a drawn region: the neurons that make it, of all layers."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, cast

from canvaswidget.kernel import ranking, sampled_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Channel, LayerShare, RankedNeuron, Region, RunKey
from canvaswidget.kernel.ranked_neurons import shares, told
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.requests.checked_fields import checked_frame
from canvaswidget.kernel.requests.pixel import MAX_RANKED
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class RegionNeuronsRequest(TypedDict):
    kind: Literal["region_neurons"]
    run: RunKey
    rule: str
    time: int
    region: Region
    k: int
    channel: Channel


class RegionNeuronsReply(TypedDict):
    """Contributions to a region, a mean over its `n_pixels`; their order and shares are of magnitudes of that mean.

    `channel` is the one asked for where every layer has colours, else the sum. `half_width` is half of a contribution's
    95 % interval as a part of it, in the median over neurons: 0 where they are exact.
    """

    kind: Literal["region_neurons"]
    time: int
    n_pixels: int
    channel: Channel
    neurons: list[RankedNeuron]
    layers: list[LayerShare]
    half_width: float


@answers(priority=4)
def region_neurons(
    cached: CachedCanvas, body: RegionNeuronsRequest, checkpoint: Report
) -> tuple[RegionNeuronsReply, bytes]:
    time, region = checked_frame(cached, body["time"]), checked_region(body["region"], cached.size)
    k = view_checks.checked_count("k", body["k"], 0, MAX_RANKED)
    channel = view_checks.checked_choice("channel", body["channel"], view_checks.CHOICES["channel"])
    if region is None:
        raise ValueError("region=None: expected a region of the frame")
    if cached.has_all_colours:
        cached = cached.of_channel(channel)
    mask = region.mask
    columns, half_width = ranking.region_columns(cached, list(cached.layers), region, time, checkpoint)
    ranked = ranking.under_own_rule(cached, ranking.top(cached, columns, k), mask, time)
    n_pixels = int(mask.sum())
    reply: RegionNeuronsReply = {
        "kind": "region_neurons",
        "time": time,
        "n_pixels": n_pixels,
        "channel": cast(Any, cached.channel),
        "neurons": told(ranked, 1 / n_pixels),
        "layers": shares(columns),
        "half_width": sampled_maps.finite_width(half_width),
    }
    return reply, b""
