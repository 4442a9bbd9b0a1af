"""What each neuron of a layer is sorted by."""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np

from canvaswidget.kernel import (
    sampled_maps,
)
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import (
    Channel,
    Region,
    RunKey,
    Sort,
)
from canvaswidget.kernel.requests.checked_fields import (
    checked_frame,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.requests.sort_key import sort_key
from canvaswidget.progress import Report


class PlainValuesRequest(TypedDict):
    """The sort key of each neuron of the layer.

    Its contribution to this pixel or this region, its total, its change, or the centroid frequency of its map.
    """

    kind: Literal["values"]
    run: RunKey
    rule: str
    time: int
    layer: str
    sort: Sort
    channel: Channel
    pixel: list[int] | None
    region: Region | None


class ValuesRequest(PlainValuesRequest, total=False):
    """`beside` is the run that `difference` is from."""

    beside: RunKey


class ValuesReply(TypedDict):
    """Buffer: the value of each neuron in C order, little-endian float32, NaN where there is none."""

    kind: Literal["values"]
    time: int
    layer: str
    sort: Sort
    pixel: list[int] | None
    half_width: float


@answers(priority=9)
def values(cached: CachedCanvas, body: ValuesRequest, checkpoint: Report) -> tuple[ValuesReply, bytes]:
    time = checked_frame(cached, body["time"])
    (keys, sizes), half_width = sort_key(cached, body, time, checkpoint)
    # A size that puts a neuron without a value at the end of an order is none of its own.
    values = np.where(np.isnan(keys), np.nan, sizes)
    reply: ValuesReply = {
        "kind": "values",
        "time": time,
        "layer": cached.layers.find(body["layer"]).name,
        "sort": body["sort"],
        "pixel": body["pixel"],
        "half_width": sampled_maps.finite_width(half_width),
    }
    return reply, values.astype("<f4").tobytes()
