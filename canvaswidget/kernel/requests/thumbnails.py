"""Thumbnails of some neurons, whatever their order: those that stand beside the neurons of another run."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import neuron_maps, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import Channel, RunKey
from canvaswidget.kernel.quantise import fitted
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_side, in_channel
from canvaswidget.kernel.requests.grid import MAX_THUMBNAILS
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report


class ThumbnailsRequest(TypedDict):
    kind: Literal["thumbnails"]
    run: RunKey
    rule: str
    time: int
    layer: str
    channel: Channel
    neurons: list[list[int]]
    side: int


class ThumbnailsReply(TypedDict):
    """Buffer: one `height * width` thumbnail of levels after the other, in the order of the request.

    `totals` are the sums of the absolute maps.
    """

    kind: Literal["thumbnails"]
    time: int
    layer: str
    height: int
    width: int
    low: list[float]
    high: list[float]
    totals: list[float]


@answers(priority=5)
def thumbnails(
    cached: CachedCanvas, body: ThumbnailsRequest, checkpoint: Report
) -> tuple[ThumbnailsReply, bytes]:
    time, layer, side = (
        checked_frame(cached, body["time"]),
        cached.layers.find(body["layer"]),
        checked_side(body),
    )
    view_checks.checked_count("the number of neurons", len(body["neurons"]), 0, MAX_THUMBNAILS)
    places = layer.flat_index([view_checks.checked_neuron(layer, neuron) for neuron in body["neurons"]])
    coloured = in_channel(cached, body, layer)
    found = neuron_maps.thumbnails(coloured, layer, places, side, time, checkpoint)
    height, width = fitted(cached.size, side)
    reply: ThumbnailsReply = {
        "kind": "thumbnails",
        "time": time,
        "layer": layer.name,
        "height": height,
        "width": width,
        "low": [thumbnail.low for thumbnail in found],
        "high": [thumbnail.high for thumbnail in found],
        "totals": [thumbnail.total for thumbnail in found],
    }
    return reply, b"".join(thumbnail.levels.tobytes() for thumbnail in found)
